"""The validation metrics of a run, the main one beside those that are shares, and the ring that tells the best one."""

from collections.abc import Sequence

from app.history import History
from app.metrics import drawn, metric_title, short_titles
from app.widgets.curve import CurveStyle
from app.widgets.live_plot import LivePlot
from tfmcore.messages import Evaluated

BEST = "best"
FIRST_COLOUR = 2
"""Of the palette's series, behind those that look like training and validation."""


class MetricPlot(LivePlot):
    """`main` is the metric that the task's best checkpoint has the most of: it comes first. Without curves there is
    nothing to show."""

    def __init__(self) -> None:
        super().__init__(title="Validation metrics", smoothing=0.0, objectName="plot_metrics")
        self.main = ""

    @property
    def names(self) -> list[str]:
        return [name for name in self.curves if name != BEST]

    def draw(self, history: History) -> None:
        """Draw what the validations have found so far; the first is bold, and has validation's colour."""
        found = drawn(history.evaluations, self.main)
        for gone in set(self.names) - set(found):
            self.remove_series(gone)
        for place, (name, short) in enumerate(zip(found, short_titles(found), strict=True)):
            colour = f"series:{FIRST_COLOUR + place - 1}" if place else "validation"
            style = CurveStyle(colour, bold=not place, points=True)
            if name not in self.curves:
                self.add_series(name, style, metric_title(name))
            self.restyle(name, style, short)
            self.set_series(name, *history.validation(name))

    def draw_best(self, found: Sequence[Evaluated]) -> None:
        """Ring what the validation of the best checkpoint found, if there was one; the loss's legend names it."""
        first = next(iter(self.names), "")
        draw_ring(self, [(event.step, event.metrics[first]) for event in found if first in event.metrics])
        if BEST in self.curves:
            self.curves[BEST].button.hide()


def draw_ring(plot: LivePlot, points: Sequence[tuple[float, float]]) -> None:
    """Ring one point and name its value in the legend; none takes the ring away."""
    if not points:
        plot.remove_series(BEST)
        return
    if BEST not in plot.curves:
        plot.add_series(BEST, CurveStyle("text", ring=True))
    plot.set_series(BEST, *zip(*points, strict=True))
