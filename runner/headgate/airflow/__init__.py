"""Airflow as clock and window: operators, DAGs' parts, a plugin; and Airflow's processes.

    from headgate.airflow import CallFunction, RunStep

Operators are imported when they are first asked for: the command line knows of Airflow's folders
and processes where Airflow itself is not installed.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headgate.airflow.operators import CallFunction, RunStep, orders_or

__all__ = ["CallFunction", "RunStep", "orders_or"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from headgate.airflow import operators

        return getattr(operators, name)
    raise AttributeError(name)
