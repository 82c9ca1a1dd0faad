"""Stand-ins for the services that onpoint_data_pipeline crawls."""

from __future__ import annotations

from headgate.demo.services.hackernews import hackernews
from headgate.demo.services.jsonplaceholder import jsonplaceholder
from headgate.demo.services.stand_in import StandIn
from headgate.demo.services.website import website


def services() -> tuple[StandIn, ...]:
    """Return the stand-ins, not started."""
    return (jsonplaceholder(), hackernews(), website())
