"""What Airflow finds by the entry point `headgate`: the links of our tasks."""

from __future__ import annotations

from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

from runner.airflow_links import ReportLink


class HeadgatePlugin(AirflowPlugin):
    """Ours: every part of Airflow that loads plugins knows it by its name."""

    name = "headgate"
    operator_extra_links: ClassVar[list[Any]] = [ReportLink()]
