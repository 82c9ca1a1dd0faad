"""The toy world of tests/db/toy.sql, and the actions with which tests of the SQL core use it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from tests.db.ledger import assert_ledger_balances
from tests.plan import Plan, Row

NOON = datetime.fromisoformat("2024-03-05 12:00:00+00:00")  # a Tuesday
PIPELINE_OF = {"things": "plain", "books": "library", "others": "aside", "inners": "within"}
MANY = 1_000
"""Runs for which a plan that was made for few of them will not do."""


class Toy(Plan):
    """A connection to the toy world, with its clock frozen at noon until a test moves it."""

    def __init__(self, connection: Connection[DictRow], now: datetime = NOON) -> None:
        super().__init__(connection)
        self.at(now)

    # ------------------------------------------------------------------ the world

    def at(self, now: datetime | str) -> None:
        """Set the clock."""
        self.now = datetime.fromisoformat(now) if isinstance(now, str) else now
        self.freeze_clock(self.now)

    def later(self, **by: float) -> None:
        """Move the clock forward: later(minutes=5)."""
        self.at(self.now + timedelta(**by))

    def add(
        self,
        count: int = 1,
        group: str = "A",
        universe: str = "things",
        first: int = 0,
        **more: Any,
    ) -> list[int]:
        """Add assets A0, A1, ... of a group; return their ids."""
        codes = [f"{group}{first + n}" for n in range(count)]
        self.upsert([{"code": x, "group_key": group, **more} for x in codes], universe)
        rows = self.sql(
            "select asset_id from headgate.assets where universe = %(universe)s"
            " and code = any (%(codes)s) order by asset_id",
            universe=universe,
            codes=codes,
        )
        return [x["asset_id"] for x in rows]

    def upsert(self, assets: list[Row], universe: str = "things") -> Row:
        """Upsert assets from a document."""
        return self.row("upsert_assets", p_universe=universe, p_assets=Jsonb(assets))

    def provider(self, name: str = "shop", **changes: Any) -> None:
        """Change a provider's settings through its function."""
        self.call("set_provider", p_provider=name, p_changes=changes)

    def tune(self, operation: str = "look", **columns: Any) -> None:
        """Change an operation's row."""
        for name, value in columns.items():
            self.connection.execute(
                psycopg.sql.SQL("update headgate.operations set {} = %s where name = %s").format(
                    psycopg.sql.Identifier(name)
                ),
                (Jsonb(value) if isinstance(value, dict | list) else value, operation),
            )

    # -------------------------------------------------------------------- a run

    def start(self, run: str = "r1", pipeline: str = "plain", **arguments: Any) -> Row:
        """Start an execution."""
        return self.row("start_execution", p_pipeline=pipeline, p_run_id=run, **arguments)

    def check(self, run: str = "r1", pipeline: str = "plain") -> list[Row]:
        """Plan an execution."""
        return self.call("check_quota", p_pipeline=pipeline, p_run_id=run)

    def enqueue(
        self, step: str = "a", run: str = "r1", pipeline: str = "plain", **arguments: Any
    ) -> Row:
        """Send a step."""
        return self.row("enqueue_step", p_pipeline=pipeline, p_run_id=run, p_step=step, **arguments)

    def begin(
        self, *steps: str, run: str = "r1", pipeline: str = "plain", **params: Any
    ) -> list[Row]:
        """Start, plan and send; return the plan."""
        self.start(run, pipeline, p_params=params)
        planned = self.check(run, pipeline)
        for step in steps or ("a",):
            self.enqueue(step, run, pipeline)
        return planned

    def finish(self, run: str = "r1", pipeline: str = "plain") -> Row:
        """Finalize an execution."""
        return self.row("finalize_execution", p_pipeline=pipeline, p_run_id=run)

    def step(self, step: str = "a", run: str = "r1", pipeline: str = "plain") -> Row:
        """Return a step's status."""
        return self.row("step_status", p_pipeline=pipeline, p_run_id=run, p_step=step)

    def execution(self, run: str = "r1", pipeline: str = "plain") -> Row:
        """Return an execution's status."""
        return self.row("execution_status", p_pipeline=pipeline, p_run_id=run)

    def runs(self, count: int, pipeline: str = "plain", started: datetime | str = "") -> None:
        """Insert runs that have succeeded, each with a step; they started at that time, or now."""
        self.sql(
            "with run as ("
            " insert into headgate.process_executions (pipeline_id, run_id, driver, status, started_at, finished_at)"
            " select p.pipeline_id, 'old-' || n, 'headgate', 'succeeded', %(at)s, %(at)s"
            " from headgate.pipelines as p cross join generate_series(1, %(count)s) as n"
            " where p.name = %(pipeline)s returning execution_id)"
            " insert into headgate.process_steps (execution_id, step, position, kind, status, finished_at)"
            " select r.execution_id, 'a', 1, 'fan_out', 'succeeded', %(at)s from run as r",
            at=str(started or self.now),
            count=count,
            pipeline=pipeline,
        )
        if count > MANY:  # plans made for few rows would read all of them for each that is deleted
            self.sql("discard plans")

    # ----------------------------------------------------------------- a runner

    def ask(self, runner: str = "w1", chunks: int = 1, **arguments: Any) -> list[Row]:
        """Call claim_jobs once; return its rows unchanged."""
        return self.call("claim_jobs", p_runner=runner, p_max_chunks=chunks, **arguments)

    def claim(self, runner: str = "w1", chunks: int = 1, **arguments: Any) -> list[Row]:
        """Advance and claim as a runner does, again at once if told so; return the claimed chunks."""
        for _ in range(100):
            self.advance()
            rows = self.ask(runner, chunks, **arguments)
            if rows[0]["chunk_id"] is not None:
                return rows
            if rows[0]["wake_at"] is None or rows[0]["lease_seconds"] > 0:
                return []
        raise AssertionError("claim_jobs says `at once` for ever")

    def complete(
        self,
        chunk: Row,
        outcome: str = "success",
        assets: list[int] | None = None,
        *,
        fault: str = "item",
        says: dict[str, Any] | None = None,
        requests: int | None = None,
        block: dict[str, Any] | None = None,
        runner: str = "w1",
        **arguments: Any,
    ) -> list[Row]:
        """Report one outcome for all (or some) of a chunk's jobs."""
        asset_ids = chunk["asset_ids"] if assets is None else assets
        many = len(asset_ids)
        given = 0 if outcome == "unsent" else 1 if requests is None else requests
        return self.call(
            "complete_jobs",
            p_runner=runner,
            p_chunk_id=chunk["chunk_id"],
            p_lease_no=chunk["lease_no"],
            p_asset_ids=asset_ids,
            p_outcomes=[outcome] * many,
            p_faults=[fault] * many,
            p_payloads=[json.dumps(says or {})] * many,
            p_errors=[None if outcome in ("success", "unsent") else "it went wrong"] * many,
            p_request_counts=[given] * many,
            p_durations_ms=[7] * many,
            p_block=Jsonb(block) if block else None,
            **arguments,
        )

    def complete_together(
        self, chunks: list[Row], outcome: str = "success", runner: str = "w1", **arguments: Any
    ) -> list[Row]:
        """Report one outcome for all jobs of chunks without calls, in one commit."""
        asset_ids = [x for chunk in chunks for x in chunk["asset_ids"]]
        known: dict[str, Any] = {
            "p_asset_ids": asset_ids,
            "p_outcomes": [outcome] * len(asset_ids),
            "p_more_chunk_ids": [x["chunk_id"] for x in chunks[1:]],
            "p_more_lease_nos": [x["lease_no"] for x in chunks[1:]],
            "p_protocol": 3,
        }
        return self.call(
            "complete_jobs",
            p_runner=runner,
            p_chunk_id=chunks[0]["chunk_id"],
            p_lease_no=chunks[0]["lease_no"],
            **known | arguments,
        )

    def drain(self, runner: str = "w1", **how: Any) -> int:
        """Claim and complete until nothing is left; return the number of jobs."""
        jobs = 0
        while claimed := self.claim(runner, 5):
            for chunk in claimed:
                self.complete(chunk, runner=runner, **how)
                jobs += len(chunk["asset_ids"])
        return jobs

    # ------------------------------------------------------------------ looking

    def window(self, provider: str = "shop") -> Row:
        """Return the provider's newest window."""
        rows = self.sql(
            "select w.* from headgate.quota_windows as w join headgate.providers as p"
            " using (provider_id) where p.name = %(provider)s order by w.opened_at desc limit 1",
            provider=provider,
        )
        return rows[0]

    def window_closes(self) -> datetime:
        """Return the next midnight in UTC."""
        return self.now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)

    def units(self, provider: str = "shop") -> tuple[int, int]:
        """Return the units reserved and spent in the newest window."""
        window = self.window(provider)
        return window["reserved"], window["spent"]

    def breaker(self, provider: str = "shop") -> Row:
        """Return the provider's breaker."""
        return self.sql(
            "select g.* from headgate.breakers as g join headgate.providers as p"
            " using (provider_id) where p.name = %(provider)s",
            provider=provider,
        )[0]

    def next_start_at(self, provider: str = "shop") -> datetime:
        """Return the earliest start of the provider's next request."""
        (row,) = self.sql(
            "select r.next_start_at from headgate.rate_limiters as r join headgate.providers as p"
            " using (provider_id) where p.name = %(provider)s",
            provider=provider,
        )
        at: datetime = row["next_start_at"]
        return at

    def state(self, asset_id: int, operation: str = "look") -> Row:
        """Return the state of a need."""
        return self.sql(
            "select s.* from headgate.asset_processing_state as s join headgate.operations as o"
            " using (operation_id) where o.name = %(operation)s and s.asset_id = %(asset_id)s",
            operation=operation,
            asset_id=asset_id,
        )[0]

    def chunks(self, state: str | None = None) -> list[Row]:
        """Return the chunks (in a state), oldest first."""
        return self.sql(
            "select c.*, o.name as operation from headgate.chunks as c join headgate.operations as o"
            " using (operation_id) where %(state)s::text is null or c.state = %(state)s"
            " order by c.chunk_id",
            state=state,
        )

    def details(self, asset_id: int | None = None) -> list[Row]:
        """Return the ended jobs, ordered by asset, operation and round."""
        return self.sql(
            "select d.*, o.name as operation, e.run_id from headgate.asset_processing_details as d"
            " join headgate.operations as o using (operation_id)"
            " join headgate.process_executions as e using (execution_id)"
            " where %(asset_id)s::bigint is null or d.asset_id = %(asset_id)s"
            " order by d.asset_id, o.operation_id, e.execution_id, d.round",
            asset_id=asset_id,
        )

    def endings(self) -> dict[str, int]:
        """Return the number of ended jobs per status."""
        rows = self.sql(
            "select status, count(*) as n from headgate.asset_processing_details group by status"
        )
        return {x["status"]: x["n"] for x in rows}

    # ------------------------------------------------------------------ proving

    @contextmanager
    def refused(self, code: str, *words: str) -> Iterator[None]:
        """Expect this SQLSTATE in the block, with these words in message or hint; roll back."""
        caught: psycopg.Error | None = None
        try:
            with self.connection.transaction():
                yield
        except psycopg.Error as exc:
            caught = exc
        assert caught is not None, f"nothing was refused with {code}"
        text = f"{caught.diag.message_primary} | {caught.diag.message_hint}"
        assert caught.sqlstate == code, f"{caught.sqlstate}: {text}"
        assert caught.diag.message_hint, "no hint"
        for word in words:
            assert word in text, text

    def snapshot(self) -> set[tuple[str, str]]:
        """Return all rows of the core, its queues and the toy's own table, as text.

        Excluded are `operator_actions`, which grows with every action, and `locks`, whose rows hold no data.
        """
        tables = self.sql(
            "select c.oid::regclass::text as name from pg_class as c"
            " where c.relkind in ('r', 'p') and not c.relispartition"
            " and c.relnamespace::regnamespace::text in ('headgate', 'toy', 'pgmq')"
            " and c.relname not in ('operator_actions', 'locks')"
            " order by 1"
        )
        query = " union all ".join(
            f"select '{x['name']}' as name, t::text as line from {x['name']} as t" for x in tables
        )
        rows = self.connection.execute(query.encode()).fetchall()
        return {(x["name"], x["line"]) for x in rows}

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Assert that the block changes no row."""
        before = self.snapshot()
        yield
        after = self.snapshot()
        assert (before - after, after - before) == (set(), set())

    @contextmanager
    def notices(self) -> Iterator[list[str]]:
        """Yield a list that collects the server's notices."""
        said: list[str] = []

        def note(line: psycopg.errors.Diagnostic) -> None:
            said.append(line.message_primary or "")

        self.connection.add_notice_handler(note)
        try:
            yield said
        finally:
            self.connection.remove_notice_handler(note)

    def assert_ledger_balances(self) -> None:
        """Check the invariants of tests/db/ledger.py."""
        assert_ledger_balances(self, "select * from ledger.wrong()")
