"""Who answers which request: one function a kind, named after it, in a module that is loaded when first asked."""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from tfmcore.data.progress import Progress
from tfmcore.engine.desk import Desk
from tfmcore.loading import loading
from tfmcore.messages import Arrays, Reply

Answer = Reply | tuple[Reply, Arrays]
Handler = Callable[[Any, Desk, Progress], Iterator[Answer]]
"""Yields replies, the final one last. Between two of them the request may be given up."""

MODULES = {
    "describe": "use",
    "generate": "use",
    "classify": "use",
    "translate": "use",
    "fill": "use",
    "tag": "use",
    "answer": "use",
    "inspect": "attention",
    "thumbnails": "attention",
    "view_attention": "attention",
    "export_attention": "attention",
    "preview_data": "data",
    "prepare_data": "data",
    "try_batch": "measure",
    "find_batch": "measure",
    "find_rate": "measure",
    "import_model": "exchange",
    "export_model": "exchange",
}


def find_handler(kind: str) -> Handler:
    """The handler of a kind of request; those about data load no torch."""
    with loading():
        handler: Handler = getattr(import_module(f"{__name__}.{MODULES[kind]}"), kind)
    return handler
