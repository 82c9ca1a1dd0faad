"""Airflow integration: operators, helpers for DAG files, a plugin, and Airflow's processes.

    from headgate.airflow import CallFunction, RunStep

Names are imported on first access, so that the command line can use Airflow's folders and
processes where Airflow itself is not installed.
"""

from typing import TYPE_CHECKING

from headgate.lazy import lazily

if TYPE_CHECKING:
    from headgate.airflow.call_function import CallFunction
    from headgate.airflow.dags import START, after, defaults, done, orders_or
    from headgate.airflow.notifier import AlertNotifier
    from headgate.airflow.orphans import alone, end_orphans, holder, read_state
    from headgate.airflow.run_step import RunStep
    from headgate.airflow.settings import ADMIN_PASSWORD, LOGIN, AirflowHome, write_login
    from headgate.airflow.snapshot import SNAPSHOT, write_snapshot
    from headgate.airflow.stack import API_SERVER, PARTS, Stack, unhealthy_parts

__all__ = [
    "ADMIN_PASSWORD",
    "API_SERVER",
    "LOGIN",
    "PARTS",
    "SNAPSHOT",
    "START",
    "AirflowHome",
    "AlertNotifier",
    "CallFunction",
    "RunStep",
    "Stack",
    "after",
    "alone",
    "defaults",
    "done",
    "end_orphans",
    "holder",
    "orders_or",
    "read_state",
    "unhealthy_parts",
    "write_login",
    "write_snapshot",
]
__getattr__ = lazily(
    __name__,
    {
        "ADMIN_PASSWORD": "settings",
        "API_SERVER": "stack",
        "AirflowHome": "settings",
        "AlertNotifier": "notifier",
        "CallFunction": "call_function",
        "LOGIN": "settings",
        "PARTS": "stack",
        "RunStep": "run_step",
        "SNAPSHOT": "snapshot",
        "START": "dags",
        "Stack": "stack",
        "after": "dags",
        "alone": "orphans",
        "defaults": "dags",
        "done": "dags",
        "end_orphans": "orphans",
        "holder": "orphans",
        "orders_or": "dags",
        "read_state": "orphans",
        "unhealthy_parts": "stack",
        "write_login": "settings",
        "write_snapshot": "snapshot",
    },
)
