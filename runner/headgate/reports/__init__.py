"""HTML report of a run, charts of a listing (the extra `charts`), and what pages share."""

from typing import TYPE_CHECKING

from headgate.lazy import lazily

if TYPE_CHECKING:
    from headgate.reports.charts import Bars, draw
    from headgate.reports.commands import (
        command_of,
        program_name,
        program_of,
        with_database,
    )
    from headgate.reports.facts import (
        ENDED,
        EXECUTIONS,
        check_pipeline,
        facts_of,
        held_up,
        leases_of,
        next_of,
        now_of,
        quota_of,
        reasons_of,
        run_of,
        steps_of,
    )
    from headgate.reports.rendering import environment
    from headgate.reports.report import bucket_of, write_page
    from headgate.reports.timeline import bars_of

__all__ = [
    "ENDED",
    "EXECUTIONS",
    "Bars",
    "bars_of",
    "bucket_of",
    "check_pipeline",
    "command_of",
    "draw",
    "environment",
    "facts_of",
    "held_up",
    "leases_of",
    "next_of",
    "now_of",
    "program_name",
    "program_of",
    "quota_of",
    "reasons_of",
    "run_of",
    "steps_of",
    "with_database",
    "write_page",
]
__getattr__ = lazily(
    __name__,
    {
        "Bars": "charts",
        "ENDED": "facts",
        "EXECUTIONS": "facts",
        "bucket_of": "report",
        "check_pipeline": "facts",
        "command_of": "commands",
        "program_name": "commands",
        "program_of": "commands",
        "with_database": "commands",
        "draw": "charts",
        "environment": "rendering",
        "facts_of": "facts",
        "held_up": "facts",
        "leases_of": "facts",
        "next_of": "facts",
        "now_of": "facts",
        "quota_of": "facts",
        "reasons_of": "facts",
        "run_of": "facts",
        "steps_of": "facts",
        "bars_of": "timeline",
        "write_page": "report",
    },
)
