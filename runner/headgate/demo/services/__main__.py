"""Runs a plan's stand-ins until stopped: `python -m headgate.demo.services freshpoc`."""

from __future__ import annotations

import argparse
import signal

from headgate.demo.services import freshpoc, noblestride, onpoint, running, viral

PLANS = {
    "freshpoc": freshpoc.services,
    "onpoint": onpoint.services,
    "recommender": noblestride.services,
    "viral": viral.services,
}


def main() -> None:
    """Print each stand-in's address, and serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description="Stand-ins for the services that a plan calls.")
    parser.add_argument("plan", choices=PLANS)
    parser.add_argument("--first-port", type=int, default=0, help="0: any that are free.")
    given = parser.parse_args()
    services = PLANS[given.plan]()
    for number, service in enumerate(services):
        service.port = given.first_port + number if given.first_port else 0
    with running(services) as started:
        for name, service in started.items():
            print(f"{name} {service.url}", flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
