"""What Airflow finds by the entry point `headgate`: our tasks' links, guard, notes and watch."""

from __future__ import annotations

from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

from headgate.airflow import note, watch
from headgate.airflow.guard import ParameterGuard
from headgate.airflow.links import ReportLink


class HeadgatePlugin(AirflowPlugin):
    """Ours: every part of Airflow that loads plugins knows it by its name."""

    name = "headgate"
    operator_extra_links: ClassVar[list[Any]] = [ReportLink()]
    fastapi_root_middlewares: ClassVar[list[Any]] = [
        {"name": "headgate parameters", "middleware": ParameterGuard}
    ]
    listeners: ClassVar[list[Any]] = [note, watch]
