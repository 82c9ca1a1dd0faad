"""The link from a task to its run's report (`headgate report`), where reports are published.

Airflow keeps a link as an XCom when the task ends; a step that ends in the triggerer hands it in.
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
    """A run's report; where none is published, the page that says how to."""

    name: ClassVar[str] = "Headgate report"
    xcom_key: ClassVar[str] = "_link_ReportLink"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return where the report of the task's run is."""
        return report_of(ti_key.run_id)


def report_of(run_id: str) -> str:
    """Return where a run's report is; `headgate report` names its file after the run."""
    base = os.environ.get(REPORTS)
    if not base:
        return f"{docs_of(PAGE)}#reports"
    return f"{base.rstrip('/')}/{quote(run_id.replace('/', '_'))}.html"


def docs_of(page: str) -> str:
    """Return where a page of docs/ is: by default relative to the repository."""
    return f"{os.environ.get(DOCS, 'docs').rstrip('/')}/{page}"
