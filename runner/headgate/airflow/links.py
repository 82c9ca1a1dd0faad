"""Link from a task to its run's report (`headgate report`), if reports are published.

Airflow stores the link as an XCom when a worker ends the task; for a step that ends in the
triggerer, the trigger supplies the XCom.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

REPORTS: Final = "HEADGATE_REPORTS_URL"
DOCS: Final = "HEADGATE_DOCS_URL"
PAGE: Final = "airflow-dags.md"


class ReportLink(BaseOperatorLink):
    """Link to a run's report, or to the docs on publishing reports if none are published."""

    name: ClassVar[str] = "Headgate report"
    xcom_key: ClassVar[str] = "_link_ReportLink"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the URL of the report of the task's run."""
        return report_of(ti_key.run_id)


def report_of(run_id: str) -> str:
    """Return the URL of a run's report; `headgate report` names the file after the run."""
    base = os.environ.get(REPORTS)
    if not base:
        return f"{docs_of(PAGE)}#reports"
    return f"{base.rstrip('/')}/{quote(run_id.replace('/', '_'))}.html"


def docs_of(page: str) -> str:
    """Return the URL of a page of docs/, by default relative to the repository."""
    return f"{os.environ.get(DOCS, 'docs').rstrip('/')}/{page}"
