"""The curves of layers, and what was noticed: drawn, marked, in the log, and redrawn after a restart."""

from pytestqt.qtbot import QtBot

from app.history import History, blocks
from app.panels.curves import Curves
from app.panels.layer_curves import LayerCurves
from app.panels.run_record import event_words
from app.session import Session
from tests.app.conftest import stepped_event
from tfmcore.config import Config
from tfmcore.messages import Examined, LayerState, Noticed, Started

SPIKE = Noticed(step=3, what="loss_spike", sentence="the loss jumped", example_ids=[4, 7], texts=["The value\nof", "x"])
DEAD = Noticed(step=4, what="dead_layer", sentence="it learns nothing", layer="decoder.layers.1")


def examined(step: int, layers: int = 3) -> Examined:
    states = {
        f"decoder.layers.{n}": LayerState(gradient_norm=step + n, update_ratio=0.01, activation_scale=1.0)
        for n in range(layers)
    }
    return Examined(step=step, layers=states)


def started(step: int) -> Started:
    return Started(
        step=step, steps=9, parameters=1, vocab_size=2, num_train=3, num_validation=4, device="cpu", threads=1
    )


def test_every_layer_has_a_curve_in_every_plot(qtbot: QtBot, session: Session) -> None:
    panel, history = LayerCurves(session), History()
    qtbot.addWidget(panel)
    panel.show_run(history)
    assert panel._stack.currentIndex() == 0
    for items in ([examined(2), examined(4)], [stepped_event(5), examined(6)]):
        found = list(blocks(items))
        history.extend(found)
        panel.advance(history, found)
    assert panel._stack.currentIndex() == 1
    for plot in panel.plots.values():
        assert [curve.title for curve in plot.curves.values()] == ["decoder.0", "decoder.1", "decoder.2"]
    curve = panel.plots["gradient_norm"].curves["decoder.layers.1"].series
    assert (curve.x.tolist(), curve.y.tolist()) == ([2, 4, 6], [3, 5, 7])
    history.extend([started(4)])
    panel.advance(history, [started(4)])
    assert panel.plots["update_ratio"].curves["decoder.layers.0"].series.x.tolist() == [2, 4]


def test_of_many_layers_some_are_shown_the_first_and_the_last_among_them(qtbot: QtBot, session: Session) -> None:
    panel, history = LayerCurves(session), History()
    qtbot.addWidget(panel)
    history.extend([examined(1, layers=48)])
    panel.show_run(history)
    names = list(panel.plots["gradient_norm"].curves)
    assert len(names) == 12
    assert (names[0], names[-1]) == ("decoder.layers.0", "decoder.layers.47")


def test_what_is_noticed_is_marked_where_it_shows(qtbot: QtBot, session: Session) -> None:
    curves, layers, history = Curves(session), LayerCurves(session), History()
    qtbot.addWidget(curves)
    qtbot.addWidget(curves.toolbar)
    qtbot.addWidget(layers)
    curves.show_run(history, Config())
    history.extend([SPIKE, DEAD])
    curves.advance(history, [SPIKE, DEAD])
    layers.advance(history, [SPIKE, DEAD])
    marked = {name: [line.value() for line, _ in plot.chart.markers] for name, plot in curves.plots.items()}
    assert marked == {"loss": [3], "learning_rate": [], "gradient_norm": [4], "speed": []}
    assert all([line.value() for line, _ in plot.chart.markers] == [4] for plot in layers.plots.values())


def test_the_log_names_the_examples_and_shows_some(qtbot: QtBot) -> None:
    assert event_words(SPIKE).splitlines() == [
        "step 3: loss spike: the loss jumped",
        "    in the batch of examples 4, 7",
        "    ▸ The value of",
        "    ▸ x",
    ]
    assert event_words(DEAD) == "step 4: dead layer: it learns nothing"
