"""Airflow plugin of the entry point `headgate`: report links, parameter guard, notes, watch."""

from __future__ import annotations

from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

from headgate.airflow import note, watch
from headgate.airflow.guard import ParameterGuard
from headgate.airflow.links import ReportLink


class HeadgatePlugin(AirflowPlugin):
    """Plugin with Headgate's links, middleware and listeners."""

    name = "headgate"
    operator_extra_links: ClassVar[list[Any]] = [ReportLink()]
    fastapi_root_middlewares: ClassVar[list[Any]] = [
        {"name": "headgate parameters", "middleware": ParameterGuard}
    ]
    listeners: ClassVar[list[Any]] = [note, watch]
