"""What Airflow finds by itself where the package is installed."""

from __future__ import annotations

from typing import ClassVar

from airflow.plugins_manager import AirflowPlugin

from runner import airflow_watch


class HeadgatePlugin(AirflowPlugin):
    """Watch beside the triggerer what is done to runs and DAGs in Airflow."""

    name = "headgate"
    listeners: ClassVar = [airflow_watch]
