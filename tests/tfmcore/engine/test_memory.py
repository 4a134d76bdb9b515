"""An engine that may have no more memory says how much was wanted, and lives."""

import pytest

from tfmcore.config import find_preset
from tfmcore.messages import BatchTried, Describe, Described, Refused, TryBatch

LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, 6 * 2**30))"
ON_CPU = ["training.device=cpu"]
TOO_LARGE = [*ON_CPU, "model.d_model=512", "model.context_length=512", "training.batch_size=8192"]


@pytest.mark.fault(20)
def test_too_little_memory_ends_the_request_only(start_engine, model_folder):
    engine = start_engine(LIMITED)
    sizes = [find_preset("nano-decoder").config(overrides).raw() for overrides in (TOO_LARGE, ON_CPU)]
    reply, _ = engine.answer(TryBatch, config=sizes[0], vocab_size=300, steps=1)
    assert isinstance(reply, Refused)
    assert reply.sentence.startswith("Not enough memory: ")
    assert "could not allocate" in reply.sentence
    assert "GiB" in reply.sentence
    assert isinstance(engine.answer(TryBatch, config=sizes[1], vocab_size=300, steps=1)[0], BatchTried)
    assert isinstance(engine.answer(Describe, model=str(model_folder("decoder")))[0], Described)
