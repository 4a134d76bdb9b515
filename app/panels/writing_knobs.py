"""How a model shall write, turned by hand: the same knobs for whatever it writes, remembered for each verb."""

from collections.abc import Callable
from functools import partial
from typing import Any, get_args

from app.session import Session
from app.widgets.knobs import Choice, Knob, Knobs, Number, Slider, Word
from tfmcore.messages import WritingPrecision, WritingRequest

ESCAPES = {"\\n": "\n", "\\t": "\t"}
SEED = partial(Word, pattern=r"\d{0,18}", placeholderText="another each time")
KNOBS: tuple[tuple[str, str, Callable[[], Knob], bool, str], ...] = (
    ("temperature", "Temperature", partial(Slider, 0.0, 2.0, zero="greedy"), False,
     "Below 1, likely tokens become more likely, above 1 less so; 0 always takes the most likely"),
    ("top_k", "Top k", partial(Number, 0, 1_000_000, zero="all"), False,
     "Sample only from the k most likely tokens; 0 keeps all"),
    ("top_p", "Top p", partial(Slider, 0.05, 1.0), False,
     "Sample only from the most likely tokens whose probabilities add up to this; 1 keeps all"),
    ("beams", "Beams", partial(Number, 1, 64), False,
     "2 or more: beam search with this many texts, which shows the most likely ones, instead of sampling"),
    ("max_new_tokens", "Length", partial(Number, 1, 100_000, step=50), False, "Maximum number of new tokens"),
    ("min_p", "Min p", partial(Slider, 0.0, 1.0, zero="all"), True,
     "Sample only from tokens at least this fraction as likely as the most likely one; 0 keeps all"),
    ("repetition_penalty", "Repetition penalty", partial(Slider, 1.0, 2.0), True,
     "Above 1, tokens that are already in the text become less likely"),
    ("length_penalty", "Length penalty", partial(Slider, 0.0, 5.0), True,
     "Beam scores are divided by length to this power; larger values favour long texts"),
    ("seed", "Seed", SEED, True, "Random seed: the same number gives the same text; empty: a new one each time"),
    ("stop", "Stop at", partial(Word, placeholderText=r"texts; between semicolons, \n"), True,
     r"Stop as soon as one of these texts is written; \n is a new line"),
    ("precision", "Precision", partial(Choice, *get_args(WritingPrecision)), True,
     "Of the model's matrices: on a CPU, bf16 and int8 generate faster; the change of the logits is shown below"),
)  # fmt: skip
"""Field of WritingRequest, title, knob, whether it is folded away, and tip."""


def stop_texts(text: str) -> list[str]:
    r"""The texts between semicolons; \n and \t are written out: "END; \n\n" → ["END", "\n\n"]."""
    found = [part.strip(" ") for part in text.split(";")]
    for written, meant in ESCAPES.items():
        found = [part.replace(written, meant) for part in found]
    return [part for part in found if part]


class WritingKnobs(Knobs):
    """Begins with what was last used for `verb`, else with `defaults`, else with those of the request."""

    def __init__(self, session: Session, verb: str, request: type[WritingRequest], **defaults: Any) -> None:
        super().__init__(verb)
        self._settings, self._verb = session.settings, verb
        for name, title, make, folded, tip in KNOBS:
            knob = make()
            self.add(name, title, tip, knob, folded=folded)
            plain = "" if isinstance(knob, Word) else request.model_fields[name].default
            knob.setValue(self._settings.get(f"use.{verb}.{name}", defaults.get(name, plain)))
        self.more.set_folded(self._settings.get(f"use.{verb}.folded", True))
        self.more.folded_changed.connect(lambda folded: self._settings.set(f"use.{verb}.folded", folded))
        self.changed.connect(self._show_effective)
        self._show_effective()

    def _show_effective(self) -> None:
        """A search draws nothing, and only a search compares texts by their length."""
        searching = self.values()["beams"] > 1
        self.set_effective(("temperature", "top_k", "top_p", "min_p", "seed"), not searching)
        self.set_effective(("length_penalty",), searching)

    def fields(self) -> dict[str, Any]:
        """The fields of the request, remembered for the next time."""
        values = self.values()
        for name, value in values.items():
            self._settings.set(f"use.{self._verb}.{name}", value)
        seed = int(values["seed"]) if values["seed"] else None
        return values | {"seed": seed, "stop": stop_texts(values["stop"])}
