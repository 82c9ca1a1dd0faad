"""Airflow as clock and window: operators, DAGs' parts, a plugin; and Airflow's processes.

    from headgate.airflow import CallFunction, RunStep

Operators are imported when they are first asked for: the command line knows of Airflow's folders
and processes where Airflow itself is not installed.
"""

from typing import TYPE_CHECKING

from headgate.lazy import lazily

if TYPE_CHECKING:
    from headgate.airflow.dags import START, defaults
    from headgate.airflow.notifier import AlertNotifier
    from headgate.airflow.operators import CallFunction, RunStep, orders_or

__all__ = ["START", "AlertNotifier", "CallFunction", "RunStep", "defaults", "orders_or"]
__getattr__ = lazily(
    __name__,
    {
        "AlertNotifier": "notifier",
        "CallFunction": "operators",
        "RunStep": "operators",
        "START": "dags",
        "defaults": "dags",
        "orders_or": "operators",
    },
)
