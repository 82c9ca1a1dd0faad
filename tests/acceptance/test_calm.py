"""A full run, watched from another session: no transaction is open while a call is under way."""

from __future__ import annotations

import threading
import time

from runner.database import connect
from tests.acceptance.books import check_settled, jobs
from tests.acceptance.house import House
from tests.plan import Row

CALL_SECONDS = 4.0
SESSIONS = """
select a.pid, a.state, a.query, a.application_name,
    extract(epoch from clock_timestamp() - a.xact_start)::float8 as seconds,
    extract(epoch from clock_timestamp() - a.state_change)::float8 as unchanged
from pg_stat_activity as a
where a.datname = current_database() and a.pid <> pg_backend_pid()
    and a.application_name like 'headgate worker%' and a.xact_start is not null
"""


class Watch(threading.Thread):
    """Looks at the sessions of the runners all the time; keeps the longest transactions."""

    def __init__(self, house: House) -> None:
        super().__init__(daemon=True)
        self._settings = house.settings
        self._is_over = threading.Event()
        self.looks = 0
        self.longest: Row = {"seconds": 0.0}
        self.idlest: Row = {"unchanged": 0.0}

    def run(self) -> None:
        with connect(self._settings, "watch") as connection:
            while not self._is_over.wait(0.01):
                self.looks += 1
                for row in connection.execute(SESSIONS).fetchall():
                    self.longest = max(self.longest, row, key=lambda x: x["seconds"])
                    if row["state"].startswith("idle"):
                        self.idlest = max(self.idlest, row, key=lambda x: x["unchanged"])

    def end(self) -> None:
        self._is_over.set()
        self.join()


def test_no_transaction_spans_a_call_nor_waits_for_its_client(house: House):
    codes = house.codes(60)
    house.standin.set_faults(
        [{"match": {}, "fault": {"kind": "latency", "ms": CALL_SECONDS * 1000}}]
    )
    run_id = house.start(tickers=codes)
    watch = Watch(house)
    watch.start()
    started = time.monotonic()
    for _ in range(2):
        house.worker(concurrency=30)

    assert house.wait_for_end(run_id)["status"] == "succeeded"
    watch.end()
    assert time.monotonic() - started > 2 * CALL_SECONDS
    assert watch.looks > 10
    assert watch.longest["seconds"] < CALL_SECONDS, watch.longest
    assert watch.idlest["unchanged"] < CALL_SECONDS, watch.idlest
    assert jobs(house, run_id) == {"success": 120}
    check_settled(house)
    health = house.plan.sql("select * from headgate.v_database_health where verdict <> 'ok'")
    assert health == []
