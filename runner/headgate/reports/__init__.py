"""HTML report of a run and charts of a listing (the extra `charts`)."""

from typing import TYPE_CHECKING

from headgate.lazy import lazily

if TYPE_CHECKING:
    from headgate.reports.charts import Bars, draw
    from headgate.reports.report import bucket_of, write_page

__all__ = ["Bars", "bucket_of", "draw", "write_page"]
__getattr__ = lazily(
    __name__,
    {"Bars": "charts", "bucket_of": "report", "draw": "charts", "write_page": "report"},
)
