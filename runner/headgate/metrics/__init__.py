"""The metrics of `headgate.v_metrics` as Prometheus reads them (the extra `web`)."""

from typing import TYPE_CHECKING

from headgate.lazy import lazily

if TYPE_CHECKING:
    from headgate.metrics.exposition import OPENMETRICS, render

__all__ = ["OPENMETRICS", "render"]
__getattr__ = lazily(__name__, {"OPENMETRICS": "exposition", "render": "exposition"})
