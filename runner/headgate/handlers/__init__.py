"""The contract of handlers, the handlers that are shipped, and the backends that run them.

    from headgate.handlers import Chunk, Result

The contract needs numpy, so its names are imported on first use: a worker's main process, which
only sends tasks, does not import numpy.
"""

from typing import TYPE_CHECKING

from headgate.lazy import lazily

if TYPE_CHECKING:
    from headgate.handlers.contract import Chunk, File, Result
    from headgate.handlers.dask import DaskBackend
    from headgate.handlers.document import Document
    from headgate.handlers.pool import Pool
    from headgate.handlers.pool_messages import (
        PIECE_LENGTH,
        Done,
        Input,
        Job,
        Parsing,
        RowType,
        Spooled,
        Target,
        Task,
        WorkLost,
    )
    from headgate.handlers.rows import WrongResult, pack_copy
    from headgate.handlers.stages import open_stage
    from headgate.handlers.streams import open_stream

__all__ = [
    "PIECE_LENGTH",
    "Chunk",
    "DaskBackend",
    "Document",
    "Done",
    "File",
    "Input",
    "Job",
    "Parsing",
    "Pool",
    "Result",
    "RowType",
    "Spooled",
    "Target",
    "Task",
    "WorkLost",
    "WrongResult",
    "open_stage",
    "open_stream",
    "pack_copy",
]
__getattr__ = lazily(
    __name__,
    {
        "Chunk": "contract",
        "DaskBackend": "dask",
        "Document": "document",
        "Done": "pool_messages",
        "File": "contract",
        "Input": "pool_messages",
        "Job": "pool_messages",
        "PIECE_LENGTH": "pool_messages",
        "Parsing": "pool_messages",
        "Pool": "pool",
        "Result": "contract",
        "RowType": "pool_messages",
        "Spooled": "pool_messages",
        "Target": "pool_messages",
        "Task": "pool_messages",
        "WorkLost": "pool_messages",
        "WrongResult": "rows",
        "open_stage": "stages",
        "open_stream": "streams",
        "pack_copy": "rows",
    },
)
