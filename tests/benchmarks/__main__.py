"""`python -m tests.benchmarks [queue http ingest declared delta memory indicators feeding pools planner sources steps files changes trace cache metrics web] [--json]`.

bigtables, crawl and lake run on request only (`make bench/bigtables`), and so does rivals, whose other side has an
environment of its own (`make bench/rivals`), recommender, whose second opinion has one
(`make bench/recommender`), viral (`make bench/viral`), and those of scale (`make bench/scale`); airflow runs in one of its own (`make bench/airflow`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from typing import Final

from headgate.database import connect
from headgate.settings import Settings
from tests.benchmarks import (
    airflow,
    bigtables,
    cache,
    changes,
    crawl,
    declared,
    delta,
    feeding,
    files,
    http,
    indicators,
    ingest,
    lake,
    memory,
    metrics,
    planner,
    pools,
    queue,
    recommender,
    sources,
    steps,
    system,
    trace,
    viral,
    web,
)
from tests.benchmarks.measure import Figure, as_json, machine, table
from tests.benchmarks.rivals import compare, graphile
from tests.benchmarks.scale import cost, pipelines, rows, runners

BENCHMARKS: Final[dict[str, Callable[[Settings], Iterator[Figure]]]] = {
    "queue": queue.run,
    "http": http.run,
    "ingest": ingest.run,
    "declared": declared.run,
    "delta": delta.run,
    "memory": memory.run,
    "indicators": indicators.run,
    "feeding": feeding.run,
    "pools": pools.run,
    "planner": planner.run,
    "sources": sources.run,
    "steps": steps.run,
    "files": files.run,
    "changes": changes.run,
    "trace": trace.run,
    "cache": cache.run,
    "metrics": metrics.run,
    "web": web.run,
}
ON_REQUEST: Final[dict[str, Callable[[Settings], Iterator[Figure]]]] = {
    "bigtables": bigtables.run,
    "lake": lake.run,
    "crawl": crawl.run,
    "recommender": recommender.run,
    "viral": viral.run,
    "scale_runners": runners.run,
    "scale_rows": rows.run,
    "scale_pipelines": pipelines.run,
    "scale_cost": cost.run,
    "rivals": compare.run,
    "graphile": graphile.run,
}
WITH_AIRFLOW: Final[dict[str, Callable[[Settings], Iterator[Figure]]]] = {"airflow": airflow.run}


def main() -> int:
    """Run the benchmarks that were asked for; 1 when a figure misses its goal."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--json", action="store_true", help="print the figures as JSON alone")
    options = parser.parse_args()
    known = BENCHMARKS | ON_REQUEST | WITH_AIRFLOW
    if unknown := set(options.names) - set(known):
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(known)}")

    figures: list[Figure] = []
    with system.own_server() as server:
        with connect(server, "bench") as connection:
            header = machine(connection)
        print("\n".join(header), file=sys.stderr if options.json else sys.stdout)
        for name in options.names or BENCHMARKS:
            for figure in known[name](server):
                figures.append(figure)
                if not options.json:
                    print(
                        f"{figure.benchmark}: {figure.value:.2f} {figure.unit}  {figure.detail}",
                        flush=True,
                    )
    if options.json:
        print(json.dumps({"machine": header, "figures": as_json(figures)}, indent=4))
    else:
        print("", *table(figures), sep="\n")
        if lines := [x.line for x in figures if x.line]:
            print("", "docs/scaling.md:", *lines, sep="\n")
    return int(any(x.is_ok is False for x in figures))


if __name__ == "__main__":
    sys.exit(main())
