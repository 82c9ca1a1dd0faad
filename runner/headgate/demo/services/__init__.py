"""Stand-ins for services that pipelines call, on ports of 127.0.0.1, each with faults and a ledger.

In a test or a demo, in their own thread:

    with running(freshpoc.services()) as services: services["miner"].url, services["miner"].calls

By hand, until stopped: `python -m headgate.demo.services freshpoc`.
"""

from headgate.demo.services.fault import Fault
from headgate.demo.services.running import running
from headgate.demo.services.stand_in import Answer, Ask, Asked, Refused, Reply, StandIn

__all__ = ["Answer", "Ask", "Asked", "Fault", "Refused", "Reply", "StandIn", "running"]
