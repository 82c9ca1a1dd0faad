"""Demos that need no account: plans that run against stand-ins for their providers."""

from typing import TYPE_CHECKING

from headgate.demo.stage import DATABASE, DEMOS, QUOTA, Demo, Stage, find_demo, staged
from headgate.lazy import lazily

if TYPE_CHECKING:
    from headgate.demo.services.inbox import inbox_of
    from headgate.demo.services.stage import SERVICE_DEMOS, ServiceDemo, played

__all__ = [
    "DATABASE",
    "DEMOS",
    "QUOTA",
    "SERVICE_DEMOS",
    "Demo",
    "ServiceDemo",
    "Stage",
    "find_demo",
    "inbox_of",
    "played",
    "staged",
]
SERVICES = "services.stage"
__getattr__ = lazily(
    __name__,
    {
        "SERVICE_DEMOS": SERVICES,
        "ServiceDemo": SERVICES,
        "inbox_of": "services.inbox",
        "played": SERVICES,
    },
)
