"""A stand-in for the EODHD market-data API on loopback: its shapes, prices and limits, and faults.

In a test, either in the test's own event loop or as a process of its own:

    async with serve(Options(quota=100)) as standin: ...
    with spawn(Options(quota=100)) as standin: standin.api, standin.token, standin.ledger()

By hand: `python -m tests.standin --port 8080`. README.md lists the options, endpoints and faults.
"""

from tests.standin.options import Options
from tests.standin.process import Process, spawn
from tests.standin.server import StandIn, serve

__all__ = ["Options", "Process", "StandIn", "serve", "spawn"]
