"""What a step of training costs on this machine, and the learning rate that suits a design."""

from collections.abc import Iterator

from tfmcore.config import Config
from tfmcore.data.progress import Progress
from tfmcore.engine.desk import Desk
from tfmcore.engine.handlers import Answer
from tfmcore.messages import BatchFound, BatchTried, FindBatch, FindRate, RateFound, TryBatch
from tfmcore.training import measure
from tfmcore.training.largest_batch import largest_batch
from tfmcore.training.rate_range import rate_range


def try_batch(request: TryBatch, desk: Desk, report: Progress) -> Iterator[Answer]:
    trial = measure.try_batch(Config.parse(request.config), request.vocab_size, request.steps, report)
    yield BatchTried(
        id=request.id,
        seconds=trial.seconds,
        tokens=trial.tokens,
        bytes=trial.num_bytes,
        parameters=trial.parameters,
    )


def find_batch(request: FindBatch, desk: Desk, report: Progress) -> Iterator[Answer]:
    found = largest_batch(Config.parse(request.config), request.vocab_size, report)
    yield BatchFound(
        id=request.id,
        batch_size=found.batch_size,
        seconds=found.trial.seconds,
        bytes=found.trial.num_bytes,
        limit=found.limit,
    )


def find_rate(request: FindRate, desk: Desk, report: Progress) -> Iterator[Answer]:
    found = rate_range(Config.parse(request.config), report, request.lowest, request.highest, request.steps)
    yield RateFound(id=request.id, rates=found.rates, losses=found.losses, suggestion=found.suggestion)
