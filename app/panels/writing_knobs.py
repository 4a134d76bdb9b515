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
     "Below 1 the likely tokens become likelier, above 1 less so; at 0 always the likeliest is taken"),
    ("top_k", "Top k", partial(Number, 0, 1_000_000, zero="all"), False,
     "Draw only from the k likeliest tokens; 0 keeps all"),
    ("top_p", "Top p", partial(Slider, 0.05, 1.0), False,
     "Draw only from the likeliest tokens that make up this share; 1 keeps all"),
    ("beams", "Beams", partial(Number, 1, 64), False,
     "2 and more: follow so many texts at once and show the likeliest, instead of drawing tokens"),
    ("max_new_tokens", "Length", partial(Number, 1, 100_000, step=50), False, "Most tokens to write"),
    ("min_p", "Min p", partial(Slider, 0.0, 1.0, zero="all"), True,
     "Draw only from tokens at least this share as likely as the likeliest; 0 keeps all"),
    ("repetition_penalty", "Repetition penalty", partial(Slider, 1.0, 2.0), True,
     "Above 1, tokens that stand in the text already become less likely"),
    ("length_penalty", "Length penalty", partial(Slider, 0.0, 5.0), True,
     "Of beams: scores are divided by length to this power; larger values favour long texts"),
    ("seed", "Seed", SEED, True, "A number makes the same text come again; empty draws another each time"),
    ("stop", "Stop at", partial(Word, placeholderText=r"texts; between semicolons, \n"), True,
     r"Stop as soon as one of these texts is written; \n is a new line"),
    ("precision", "Precision", partial(Choice, *get_args(WritingPrecision)), True,
     "Of the model's matrices: on a CPU, bf16 and int8 write faster; what becomes of the logits is said below"),
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
