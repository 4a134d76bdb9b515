"""What went wrong with a request, as one sentence and details to copy."""

import traceback

from tfmcore.config import UserError
from tfmcore.memory_faults import is_out_of_memory, missing_memory
from tfmcore.messages import Refused


def refusal(request_id: int, kind: str, error: BaseException) -> Refused:
    """The reply that ends a request which raised `error`."""
    if isinstance(error, UserError):
        sentence, _, more = str(error).partition("\n")
        return Refused(id=request_id, sentence=sentence, details=error.details or more, fix=error.fix)
    details = "".join(traceback.format_exception(error))
    if is_out_of_memory(error):
        amount = missing_memory(error) or "what it needs"
        sentence = f"Not enough memory: could not allocate {amount}; use a shorter text or a smaller model."
        return Refused(id=request_id, sentence=sentence, details=details)
    sentence = f"“{kind.replace('_', ' ')}” failed unexpectedly: {_brief(error)}"
    return Refused(id=request_id, sentence=sentence, details=details)


def _brief(error: BaseException) -> str:
    """The type and the first line of what it says."""
    first = str(error).strip().partition("\n")[0][:200]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
