"""Pipeline for tests of clicks: six assets, two fan-outs, and a provider that tests control.

Its DAG is dags/clicks.py. Each job costs ten units; all jobs are due again in each run.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, LiteralString

from tests.benchmarks.system import add_assets, insert
from tests.limits import PATIENCE
from tests.plan import Plan

CLICKS: Final = "clicks"
ASSETS: Final = 6
UNITS: Final = 10
STEPS: Final = ("first", "second")
"""Names of the fan-outs."""
MOODS: Final = ("answers", "fails", "holds")

RULES: Final[LiteralString] = """
insert into headgate.response_rules (provider_id, position, status, outcome, reason)
select p.provider_id, r.position, r.status, r.outcome, r.reason
from headgate.providers as p
cross join (
    values (1, '200', 'success', 'answered'), (2, '404', 'failed', 'it is not known')
) as r (position, status, outcome, reason)
where p.name = 'clicks'
"""
GRAPH: Final[LiteralString] = """
insert into headgate.pipeline_steps (
    pipeline_id, position, step, kind, function, operations, depends_on, trigger_rule
)
select p.pipeline_id, s.*
from headgate.pipelines as p
cross join (
    values
        (1, 'initialize_execution', 'function', 'headgate.start_execution', null, '{}'::text[], 'all_success'),
        (2, 'check_api_quota', 'function', 'headgate.check_quota', null, '{initialize_execution}', 'all_success'),
        (3, 'first', 'fan_out', null, '{clicks_first}'::text[], '{check_api_quota}', 'all_success'),
        (4, 'second', 'fan_out', null, '{clicks_second}', '{first}', 'all_success'),
        (5, 'look_back', 'function', 'headgate.discover_delta', null, '{second}', 'all_success'),
        (6, 'finalize_execution', 'function', 'headgate.finalize_execution', null, '{look_back}', 'all_done')
) as s
where p.name = 'clicks'
"""
PARAMETER: Final[LiteralString] = """
insert into headgate.pipeline_parameters (pipeline_id, name, type, effect)
select p.pipeline_id, 'codes', 'list', 'assets' from headgate.pipelines as p where p.name = 'clicks'
"""
DUE: Final[LiteralString] = """
update headgate.asset_processing_state as s
set next_due_at = headgate.clock(), consecutive_failures = 0
from headgate.operations as o
where o.operation_id = s.operation_id
    and o.universe = 'clicks'
"""


@dataclass
class Answers:
    """A provider that answers, does not know every other asset, or keeps all calls waiting."""

    served: int = 0
    days: set[str] = field(default_factory=set)
    """Days that were requested."""
    _mood: str = "answers"
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def set_mood(self, mood: str) -> None:
        """Change the behaviour, also for waiting calls."""
        assert mood in MOODS
        with self._changed:
            self._mood = mood
            self._changed.notify_all()

    @property
    def is_holding(self) -> bool:
        """Return whether calls are kept waiting."""
        return self._mood == "holds"

    def status(self, url: str) -> int:
        """Wait while calls are held; return the status of the answer."""
        path, _, day = url.partition("?day=")
        with self._changed:
            self.days.add(day)
            self._changed.wait_for(lambda: self._mood != "holds", PATIENCE)
            self.served += 1
            is_known = self._mood != "fails" or int(path[-1]) % 2 == 0
        return 200 if is_known else 404


@contextmanager
def answering() -> Iterator[tuple[Answers, str]]:
    """Run the provider; yield it and its base URL."""
    answers = Answers()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = answers.status(self.path)
            with suppress(OSError):  # the client may have been killed
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield answers, f"http://127.0.0.1:{server.server_port}"
    finally:
        answers.set_mood("answers")
        server.shutdown()
        server.server_close()
        thread.join()


def write_clicks(plan: Plan, base_url: str) -> None:
    """Insert the plan's rows."""
    insert(plan, "providers", name=CLICKS, base_url=base_url, quota=1_000_000)
    plan.sql(RULES)
    for step in STEPS:
        plan.sql(
            "insert into headgate.operations"
            " (name, universe, provider_id, units, due_rule, due_every, chunk_size, timeout, path,"
            "  query)"
            " select %(name)s, p.name, p.provider_id, %(units)s, 'every', '1 second', 2, %(most)s,"
            "  %(path)s, '{\"day\": \"{run.date}\"}' from headgate.providers as p where p.name = 'clicks'",
            name=f"{CLICKS}_{step}",
            units=UNITS,
            most=f"{PATIENCE:.0f} s",
            path=f"/{step}/{{asset.code}}",
        )
    insert(plan, "pipelines", name=CLICKS)
    plan.sql(GRAPH)
    plan.sql(PARAMETER)
    plan.sql("select headgate.check_plans()")
    add_assets(plan, CLICKS, ASSETS)


def make_clicks_due(plan: Plan) -> None:
    """Reset the failures, so that everything is due in the next run."""
    plan.sql(DUE)
