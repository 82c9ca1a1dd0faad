"""HTML report of a run, charts of a listing (the extra `charts`), and what pages share."""

from typing import TYPE_CHECKING

from headgate.lazy import lazily

if TYPE_CHECKING:
    from headgate.reports.charts import Bars, draw
    from headgate.reports.rendering import environment
    from headgate.reports.report import bucket_of, write_page

__all__ = ["Bars", "bucket_of", "draw", "environment", "write_page"]
__getattr__ = lazily(
    __name__,
    {
        "Bars": "charts",
        "bucket_of": "report",
        "draw": "charts",
        "environment": "rendering",
        "write_page": "report",
    },
)
