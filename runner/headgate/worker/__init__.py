"""A runner: claims chunks, makes their calls or runs their handlers, hands the results in."""

from typing import TYPE_CHECKING

from headgate.lazy import lazily

if TYPE_CHECKING:
    from headgate.worker.totals import Totals
    from headgate.worker.worker import name_prefix, work

__all__ = ["Totals", "name_prefix", "work"]
__getattr__ = lazily(__name__, {"Totals": "totals", "name_prefix": "worker", "work": "worker"})
