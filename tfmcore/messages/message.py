"""What every message has: the bases of events, commands, requests and replies."""

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """Anything that is said; unknown fields of a newer version are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="constants")


class Request(Message):
    """A queued request of the same kind and panel is replaced by a newer one; a running one is cancelled by it."""

    id: int
    panel: str = ""


class ModelRequest(Request):
    """`model` is a model folder or a run. The engine keeps the models used last, so no request depends on another."""

    model: str


class Reply(Message):
    """An answer; `id` is the request's, and `final` its last."""

    id: int
    final: bool = True
