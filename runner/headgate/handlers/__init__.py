"""What a handler is given and what it returns; the handlers that are shipped; where they run.

    from headgate.handlers import Chunk, Result

These bring numpy, so they are imported when they are first asked for: a worker's main process,
which only sends tasks, stays without it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headgate.handlers.contract import GROUP, Chunk, Result

__all__ = ["GROUP", "Chunk", "Result"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from headgate.handlers import contract

        return getattr(contract, name)
    raise AttributeError(name)
