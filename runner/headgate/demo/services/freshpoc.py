"""Stand-ins for the services of the pipeline FreshPoC_E2E, in the order of its calls."""

from __future__ import annotations

from headgate.demo.services.analyzer import analyzer
from headgate.demo.services.ingestion import ingestion
from headgate.demo.services.miner import miner
from headgate.demo.services.query_api import query_api
from headgate.demo.services.reporting import reporting
from headgate.demo.services.stand_in import StandIn
from headgate.demo.services.writer import writer


def services() -> tuple[StandIn, ...]:
    """Return all six stand-ins, not started."""
    return (ingestion(), miner(), analyzer(), writer(), query_api(), reporting())
