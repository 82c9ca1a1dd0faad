"""A stand-in for the EODHD market-data API on loopback: its shapes, prices and limits, and faults.

In a test, either in the test's own event loop or as a process of its own:

    async with serve(Options(quota=100)) as standin: ...
    with spawn(Options(quota=100)) as standin: standin.api, standin.token, standin.ledger()

By hand: `python -m headgate.demo.eodhd --port 8080`. README.md lists the options,
endpoints and faults.
"""

from headgate.demo.eodhd.options import Options
from headgate.demo.eodhd.process import Process, spawn
from headgate.demo.eodhd.server import StandIn, serve

__all__ = ["Options", "Process", "StandIn", "serve", "spawn"]
