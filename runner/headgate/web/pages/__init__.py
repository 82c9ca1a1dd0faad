"""The pages: one module for each, with its `PAGE`."""

from headgate.web.pages import (
    alerts,
    asset,
    checks,
    explain,
    forecast,
    operations,
    overview,
    pipeline,
    pipelines,
    run,
)

PAGES = (
    overview.PAGE,
    pipelines.PAGE,
    pipeline.PAGE,
    run.PAGE,
    asset.SEARCH,
    asset.PAGE,
    operations.PAGE,
    operations.ONE,
    checks.PAGE,
    checks.ONE,
    alerts.PAGE,
    explain.PAGE,
    forecast.PAGE,
)
