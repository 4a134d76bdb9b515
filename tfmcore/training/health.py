"""Signs that a training is going wrong, seen while it still goes on: spikes of the loss, layers that die or explode."""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel, Field

from tfmcore.data import Tokenizer
from tfmcore.messages import LayerState, Noticed
from tfmcore.training.batches import DeviceBatch

WINDOW, LEAST = 100, 20
"""A loss is compared with the last ones: so many, and at least so many."""
SPIKE, CALM = 6.0, 3.0
"""A robust z-score from which on a loss is a spike, and below which the next one may be told."""
PROPORTION = 8.0
"""What the z-score of a spike's logarithm is, at the least."""
LEAST_SPREAD = 0.01
"""The spread of the losses counts as at least that share of their median."""
TINY = 1e-6
EXAMINATIONS, FEW = 20, 5
TIMES_LARGER = 20.0
"""A layer explodes where its gradient or its results are so many times what they were, ..."""
LARGEST_UPDATE = 0.3
"""... or where its weights move by such a share of themselves in one step."""
DEAD_SHARE = 1e-6
"""A layer is dead where its gradient is such a share of what the layers have in the middle."""
NUM_IDS, NUM_TEXTS, NUM_TOKENS = 256, 3, 64


class LossWatch(BaseModel):
    """Tells spikes by a robust z-score: how far a loss lies above the median of the last ones, in units of their median
    absolute deviation (× 1.4826, which makes it a normal distribution's standard deviation). It has to be far in the
    logarithm too, for the smaller losses become, the more they vary for their size."""

    losses: list[float] = []
    calm: bool = True

    def score(self, loss: float) -> float | None:
        """The z-score of a loss that is a spike; None for any other. One that goes on is told once."""
        losses, self.losses = self.losses, [*self.losses, loss][-WINDOW:]
        if len(losses) < LEAST:
            return None
        z = _score(losses, loss, LEAST_SPREAD * abs(statistics.median(losses)))
        in_proportion = _score([_log(each) for each in losses], _log(loss), LEAST_SPREAD)
        told = self.calm and z > SPIKE and in_proportion > PROPORTION
        self.calm = z < CALM if not self.calm else not told
        return z if told else None


def _score(values: Sequence[float], value: float, least_spread: float) -> float:
    median = statistics.median(values)
    spread = 1.4826 * statistics.median(abs(each - median) for each in values)
    return (value - median) / max(spread, least_spread, TINY)


def _log(loss: float) -> float:
    return math.log(max(loss, TINY))


class LayerWatch(BaseModel):
    """Compares each layer with the others and with what it was: `past` has what was found of each, figure by figure,
    and `told` which is known to be ill, and how."""

    past: dict[str, dict[str, list[float]]] = {}
    told: set[tuple[str, str]] = set()

    def faults(self, layers: Mapping[str, LayerState]) -> Iterator[tuple[str, str, str]]:
        """What is wrong with which layer, as (kind, layer, sentence); each is told once until it is well again."""
        middle = statistics.median(layer.gradient_norm for layer in layers.values()) if layers else 0.0
        for name, layer in layers.items():
            found = {"dead_layer": _dead(name, layer, middle), "exploding_layer": self._exploding(name, layer)}
            for kind, sentence in found.items():
                if sentence and (kind, name) not in self.told:
                    yield kind, name, sentence
                (self.told.add if sentence else self.told.discard)((kind, name))

    def _exploding(self, name: str, layer: LayerState) -> str:
        sentence = ""
        if layer.update_ratio > LARGEST_UPDATE:
            sentence = f"the weights of {name} changed by {layer.update_ratio:.0%} of their norm in one step"
        for figure, words in (("gradient_norm", "gradient norm"), ("activation_scale", "activation scale")):
            value, known = getattr(layer, figure), self.past.setdefault(name, {})
            past = known.get(figure, [])
            usual = statistics.median(past) if len(past) >= FEW else math.inf
            if value > TIMES_LARGER * usual:
                sentence = f"the {words} of {name} is {value:.3g}, {value / max(usual, 1e-12):.0f} times the usual"
            known[figure] = [*past, *filter(math.isfinite, [value])][-EXAMINATIONS:]
        return f"{sentence}: try a lower learning rate or gradient clipping" if sentence else ""


def _dead(name: str, layer: LayerState, middle: float) -> str:
    if middle <= 0 or layer.gradient_norm > DEAD_SHARE * middle:
        return ""
    norms = f"its gradient norm is {layer.gradient_norm:.3g}, in other layers about {middle:.3g}"
    return f"{name} learns nothing: {norms}; try a lower learning rate or an activation that has no flat part"


class Watch(BaseModel):
    """What the next losses and layers of a run are compared with; a checkpoint keeps it."""

    losses: LossWatch = Field(default_factory=LossWatch)
    layers: LayerWatch = Field(default_factory=LayerWatch)

    def begin_anew(self) -> None:
        """Forget: the training is another now."""
        self.losses, self.layers = LossWatch(), LayerWatch()


class Health:
    """All that is watched of a run, as events that keep the batch they were seen in."""

    def __init__(self, tokenizer: Tokenizer, watch: Watch) -> None:
        self._tokenizer, self._watch = tokenizer, watch

    def of_loss(self, step: int, loss: float, batches: Sequence[DeviceBatch]) -> Iterator[Noticed]:
        """A spike, where this step's loss is one."""
        if (score := self._watch.losses.score(loss)) is not None:
            sentence = (
                f"the loss jumped to {loss:.4f}, {score:.0f} times the usual spread above its recent values: "
                "if it stays high or this happens often, try a lower learning rate or gradient clipping"
            )
            yield self.noticed("loss_spike", step, sentence, batches)

    def of_layers(
        self, step: int, layers: Mapping[str, LayerState], batches: Sequence[DeviceBatch]
    ) -> Iterator[Noticed]:
        """Layers that are dead or explode."""
        for kind, name, sentence in self._watch.layers.faults(layers):
            yield self.noticed(kind, step, sentence, batches, name)

    def noticed(self, what: str, step: int, sentence: str, batches: Sequence[DeviceBatch], layer: str = "") -> Noticed:
        """An event with the ids of the batch's examples and the beginning of some, as the model reads them."""
        ids = [id for batch in batches for id in batch.example_ids][:NUM_IDS]
        return Noticed.model_validate(
            {"what": what, "step": step, "sentence": sentence, "layer": layer, "example_ids": ids,
             "texts": self.texts(batches)}
        )  # fmt: skip

    def texts(self, batches: Sequence[DeviceBatch]) -> list[str]:
        rows = batches[0].inputs["input_ids"][:NUM_TEXTS, :NUM_TOKENS].tolist() if batches else []
        return [self._tokenizer.decode(row, skip_special=False) for row in rows]
