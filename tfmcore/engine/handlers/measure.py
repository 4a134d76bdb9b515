"""What a step of training costs on this machine."""

from collections.abc import Iterator

from tfmcore.config import Config
from tfmcore.data.progress import Progress
from tfmcore.engine.desk import Desk
from tfmcore.engine.handlers import Answer
from tfmcore.messages import BatchTried, TryBatch
from tfmcore.training import measure


def try_batch(request: TryBatch, desk: Desk, report: Progress) -> Iterator[Answer]:
    trial = measure.try_batch(Config.parse(request.config), request.vocab_size, request.steps, report)
    yield BatchTried(
        id=request.id,
        seconds=trial.seconds,
        tokens=trial.tokens,
        bytes=trial.num_bytes,
        parameters=trial.parameters,
    )
