"""The runner's loop with a real database and a real service on 127.0.0.1."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from types import SimpleNamespace
from typing import cast

import pytest

from headgate.database import dsn_of
from headgate.errors import NotMigrated, ServerUnreachable
from headgate.settings import Settings
from headgate.worker import completer, connection_pool, endings, leases, producer, worker
from headgate.worker.call_executor import CallExecutor
from headgate.worker.chunks import Chunk
from headgate.worker.queue import Queue
from headgate.worker.worker import work
from tests.limits import PATIENCE, until
from tests.runner.shop import cut, json_of, never, slow, text_of, when
from tests.runner.small_plan import OK, RULES, start, status, write_plan
from tests.runner.worker.running import working

STOP_AFTER_TWO_SECONDS = """
create or replace function headgate._stop_before(
    p_provider headgate.providers, p_lease interval, p_closes_at timestamptz, p_now timestamptz
)
returns integer language sql immutable as 'select 2'
"""
BUSY = {
    "status": "429",
    "outcome": "retry",
    "fault": "provider",
    "reason": "slow down",
    "blocks": "retry_after",
}


@pytest.fixture
def database(core_database):
    return core_database


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Let a connection take as long as a busy machine needs."""
    monkeypatch.setattr("headgate.worker.http_requests.CONNECT_SECONDS", PATIENCE)


@pytest.fixture
def run(database, plan):
    """Work until an execution has ended."""

    async def work_off(run_id: str = "r1", provider: str = "shop", **more):
        async def has_ended() -> bool:
            return bool(status(plan, run_id, provider=provider)["status"] != "running")

        async with asyncio.timeout(PATIENCE):
            return await work(database, until=has_ended, **more)

    return work_off


@pytest.fixture
def ask_again(plan, monkeypatch):
    """Return a function that wakes a runner and waits until it has claimed again."""
    claims, claim = [], Queue.claim

    async def counted(self, *arguments, **named):
        found = await claim(self, *arguments, **named)
        claims.append(found)
        return found

    async def ask_again():
        before = len(claims)
        plan.sql("select pg_notify('headgate_jobs', '')")
        await until(lambda: len(claims) > before)

    monkeypatch.setattr(Queue, "claim", counted)
    return ask_again


@pytest.fixture
def eager(monkeypatch):
    """Let a runner extend its leases at every tick, not only after a third of their time."""

    def extended(self, at, lease_seconds):
        self.lease_ends, self.beat_at = at + lease_seconds, at

    monkeypatch.setattr(leases.Leased, "extended", extended)


@pytest.fixture
def draining(monkeypatch):
    """Return an event: the runner starts nothing more, and waits for open calls."""
    event, finish = asyncio.Event(), CallExecutor.finish

    async def told(self, *arguments):
        event.set()
        await finish(self, *arguments)

    monkeypatch.setattr(CallExecutor, "finish", told)
    monkeypatch.setattr(worker, "DRAIN_SECONDS", PATIENCE)
    return event


def details(plan) -> dict[str, int]:
    """Count the jobs that have ended, by status."""
    rows = plan.sql(
        "select status, count(*) as jobs from headgate.asset_processing_details group by status"
    )
    return {row["status"]: row["jobs"] for row in rows}


def answers_wait_for_slices(plan, shop, size: int):
    """Answer call after call, but none of a slice before all earlier slices are in the database."""
    handler = shop.answer

    async def wait(request):
        earlier = (len(shop.asked) - 1) // size * size
        return await when(lambda: details(plan).get("success", 0) >= earlier, handler)(request)

    return wait


def slices(plan) -> list[int]:
    """Return the number of jobs that each completion has ended, in order."""
    rows = plan.sql(
        "select count(*) as jobs from headgate.asset_processing_details"
        " group by ended_at order by ended_at"
    )
    return [row["jobs"] for row in rows]


async def test_an_execution_is_worked_off(plan, shop, run):
    write_plan(plan, base_url=shop.url, assets=250, operation_columns={"chunk_size": 40})
    start(plan)

    totals = await run()

    assert status(plan)["status"] == "succeeded"
    assert (totals.chunks, totals.requests, totals.jobs) == (7, 250, {"success": 250})
    assert sorted(shop.paths()) == sorted(f"/api/things/T{n}" for n in range(250))
    assert plan.scalar("select count(distinct asset_id) from public.answers") == 250


@pytest.mark.parametrize("is_slow", [False, True])
async def test_quick_chunks_without_calls_share_a_claim_and_slow_ones_do_not(
    plan, run, monkeypatch, is_slow
):
    wanted = []
    whole = Queue.complete

    async def counted(self, chunk, report, *, claim=0, **more):
        wanted.append(claim)
        return await whole(self, chunk, report, claim=claim, **more)

    monkeypatch.setattr(Queue, "complete", counted)
    monkeypatch.setattr(endings, "MOMENT", 0.0 if is_slow else PATIENCE)
    write_plan(plan, assets=40, operation_columns={"chunk_size": 1})
    start(plan)

    totals = await run()

    assert totals.jobs == {"success": 40}
    assert max(wanted) == (1 if is_slow else endings.MAX_TOGETHER)


async def test_work_without_calls_is_drained_too(plan, run):
    write_plan(plan, assets=1000, operation_columns={"chunk_size": 10})
    start(plan)

    totals = await run()

    assert (totals.chunks, totals.requests, totals.jobs) == (100, 0, {"success": 1000})
    assert details(plan) == {"success": 1000}


async def test_one_lost_lease_stops_none_of_the_others(plan, database, caplog):
    write_plan(plan, assets=100, operation_columns={"chunk_size": 2})
    plan.sql(
        "create function public.usurp() returns trigger language plpgsql as $f$"
        " begin if new.state = 'leased' and (select a.asset_id from headgate.assets as a"
        " where a.code = 'T51') = any (new.asset_ids) then new.runner := 'somebody else'; end if;"
        " return new; end $f$;"
        " create trigger usurp before update on headgate.chunks"
        " for each row execute function public.usurp()"
    )
    start(plan)

    with caplog.at_level(logging.INFO):
        async with working(database):
            await until(lambda: details(plan) == {"success": 98})

    assert "dropped: lease 1 of chunk" in caplog.text
    (left,) = plan.sql("select state, runner, cardinality(asset_ids) as jobs from headgate.chunks")
    assert left == {"state": "leased", "runner": "somebody else", "jobs": 2}


@pytest.mark.parametrize(("concurrency", "in_flight", "most"), [(7, 50, 7), (50, 4, 4)])
async def test_no_more_calls_are_open_than_allowed(plan, shop, run, concurrency, in_flight, most):
    shop.answer = shop.together(most, slow(0.05))
    write_plan(
        plan,
        base_url=shop.url,
        assets=60,
        operation_columns={"chunk_size": 10},
        provider_columns={"max_in_flight": in_flight},
    )
    start(plan)

    await run(concurrency=concurrency)

    assert shop.most_open == most


async def test_chunks_overlap_so_that_calls_never_wait_for_a_completion(plan, shop, run):
    shop.answer = shop.together(20, json_of("{}"))
    write_plan(plan, base_url=shop.url, assets=80, operation_columns={"chunk_size": 4})
    start(plan)

    await run(concurrency=20)

    assert shop.most_open == 20


async def test_a_long_chunk_is_handed_in_in_slices(plan, shop, run, monkeypatch):
    monkeypatch.setattr(leases, "SLICE_JOBS", 10)
    monkeypatch.setattr(completer, "SLICE_SECONDS", 3600)
    shop.answer = answers_wait_for_slices(plan, shop, 10)
    write_plan(plan, base_url=shop.url, assets=45)
    start(plan)

    await run(concurrency=5)

    assert slices(plan) == [10, 10, 10, 10, 5]


async def test_large_answers_are_handed_in_early(plan, shop, run, monkeypatch):
    monkeypatch.setattr(leases, "SLICE_BYTES", 10_000)
    monkeypatch.setattr(completer, "SLICE_SECONDS", 3600)
    shop.answer = json_of('["' + "x" * 4000 + '"]')
    shop.answer = answers_wait_for_slices(plan, shop, 3)
    write_plan(plan, base_url=shop.url, assets=15)
    start(plan)

    await run(concurrency=3)

    assert slices(plan) == [3, 3, 3, 3, 3]


async def test_results_do_not_wait_for_a_slow_call_of_their_chunk(plan, shop, database):
    shop.special["/api/things/T0"] = when(lambda: details(plan) == {"success": 4})
    write_plan(plan, base_url=shop.url, assets=5)
    start(plan)

    async with working(database):
        await until(lambda: details(plan) == {"success": 5})


async def test_a_jobs_result_follows_from_its_answer(plan, shop, run):
    shop.special["/api/things/T1"] = text_of("Ticker not found", status=404)
    write_plan(plan, base_url=shop.url, assets=3)
    start(plan)

    totals = await run()

    assert totals.jobs == {"success": 2, "failed": 1}
    (row,) = plan.sql("select * from headgate.asset_processing_details where status = 'failed'")
    assert row["error"] == "no such thing (404: Ticker not found)"


async def test_a_template_without_its_field_fails_only_its_item(plan, shop, run):
    write_plan(plan, base_url=shop.url, assets=3)
    plan.sql(
        "update headgate.operations set path = '/things/{asset.isin}' where name = 'look_shop'"
    )
    plan.sql(
        "update headgate.assets set attributes = '{\"isin\": \"I\"}' where code in ('T0', 'T2')"
    )
    start(plan)

    totals = await run()

    assert totals.jobs == {"success": 2, "failed": 1}
    assert shop.paths() == ["/api/things/I", "/api/things/I"]
    error = plan.scalar(
        "select error from headgate.asset_processing_details where status = 'failed'"
    )
    assert "isin" in error


async def test_an_idle_runner_is_woken_by_what_is_sent(plan, shop, database, monkeypatch):
    idle = (
        "select count(*) filter (where query ~ 'claim_jobs') > 0"
        " and count(*) filter (where application_name ~ 'listening') > 0"
        " from pg_stat_activity where datname = %(name)s and state = 'idle'"
        " and application_name like 'headgate worker%%'"
    )
    monkeypatch.setattr(producer, "LONGEST_WAIT", PATIENCE)
    write_plan(plan, base_url=shop.url, assets=3)

    async with working(database):
        await until(lambda: plan.scalar(idle, name=database.database))
        plan.call("start_execution", p_pipeline="small_shop", p_run_id="r1")
        plan.call("enqueue_step", p_pipeline="small_shop", p_run_id="r1", p_step="all")
        await until(lambda: len(shop.asked) == 3)


async def test_an_idle_runner_asks_next_to_nothing(plan, database, monkeypatch):
    assert producer.LONGEST_WAIT >= 30
    monkeypatch.setattr(producer, "LONGEST_WAIT", PATIENCE)
    calls = []
    whole = Queue._call

    async def counted(self, statement, arguments):
        calls.append(statement)
        return await whole(self, statement, arguments)

    monkeypatch.setattr(Queue, "_call", counted)
    write_plan(plan)

    async with working(database):
        await asyncio.sleep(1.2)

    assert len([x for x in calls if "claim_jobs" in x]) <= 3


async def test_a_lease_is_kept_while_its_calls_last(plan, shop, run, eager):
    over = iter(range(3))

    def has_outlasted_three_leases():
        if not plan.scalar("select leased_until > clock_timestamp() from headgate.chunks"):
            return False
        if next(over, None) is None:
            return True
        plan.sql("update headgate.chunks set leased_until = clock_timestamp()")
        return False

    shop.special["/api/things/T0"] = when(has_outlasted_three_leases)
    write_plan(plan, base_url=shop.url, assets=2)
    start(plan)

    totals = await run()

    assert (totals.lost, totals.jobs) == (0, {"success": 2})
    assert len(shop.asked) == 2


def test_a_lease_is_extended_after_a_third_of_its_time():
    held = leases.Leased(cast(Chunk, SimpleNamespace(lease_seconds=300)), claimed_at=1000.0)

    assert (held.beat_at, held.lease_ends) == (1100, 1300)
    held.extended(1101.0, 300)
    assert (held.beat_at, held.lease_ends) == (1201, 1401)


async def test_no_call_starts_when_its_time_has_passed(plan, shop, run):
    shop.special["/api/things/T0"] = slow(2.1)
    write_plan(plan, base_url=shop.url, assets=3, provider_columns={"max_in_flight": 1})
    plan.sql(STOP_AFTER_TWO_SECONDS)
    start(plan)

    totals = await run()

    assert totals.jobs["success"] == 3
    assert totals.jobs["unsent"] >= 2
    assert len(shop.asked) == 3


async def test_a_superseded_runner_writes_nothing(plan, shop, database, caplog, eager):
    shop.answer = never()
    write_plan(plan, base_url=shop.url, assets=3)
    start(plan)

    async with working(database):
        await until(lambda: len(shop.asked) == 3)
        plan.sql("update headgate.chunks set lease_no = lease_no + 1, runner = 'somebody else'")
        plan.sql("select pgmq.set_vt(queue, msg_id, 3600) from headgate.chunks")
        await until(lambda: "lost the lease" in caplog.text)
        await until(lambda: shop.open == 0)

    assert plan.scalar("select count(*) from public.answers") == 0
    assert details(plan) == {}
    assert plan.scalar("select runner from headgate.chunks") == "somebody else"


async def test_a_blocked_provider_is_asked_nothing_more(plan, shop, run):
    async def until_used_up(request):
        is_over = len(shop.asked) > 20
        return await (text_of("too much", status=402) if is_over else slow(0.01))(request)

    shop.answer = until_used_up
    write_plan(
        plan,
        base_url=shop.url,
        assets=200,
        provider_columns={"quota": 1000, "max_in_flight": 5},
        operation_columns={"units": 1, "chunk_size": 50},
    )
    start(plan)

    totals = await run(concurrency=10)

    assert totals.jobs["success"] == 20
    assert 21 <= len(shop.asked) <= 26
    assert details(plan) == {"success": 20, "deferred": 180}
    spent = plan.scalar("select spent from headgate.quota_windows")
    assert 20 <= spent <= len(shop.asked)


async def test_a_provider_that_asks_to_wait_is_waited_for(plan, shop, run, caplog):
    was_blocked = []

    async def busy_once(request):
        was_blocked.append(
            plan.scalar(
                "select bool_or(coalesce(b.blocked_until > headgate.clock(), false))"
                " from headgate.breakers as b"
            )
        )
        is_busy = len(shop.asked) == 3
        return await (text_of("", status=429, Retry_After="1") if is_busy else slow(0.02))(request)

    shop.answer = busy_once
    write_plan(
        plan,
        base_url=shop.url,
        assets=20,
        rules=(*RULES, BUSY),
        provider_columns={"max_in_flight": 2},
        operation_columns={"backoff": "0.1 seconds"},
    )
    start(plan)

    await run()

    assert details(plan) == {"success": 20}
    assert len(shop.asked) == 21
    assert "shop is blocked: slow down" in caplog.text
    assert not any(was_blocked), "a request while the provider was blocked"


async def test_a_refused_execution_ends_without_further_calls(plan, shop, run):
    shop.answer = text_of("Unauthenticated", status=401)
    write_plan(
        plan,
        base_url=shop.url,
        assets=100,
        provider_columns={"max_in_flight": 3},
        operation_columns={"chunk_size": 20},
    )
    start(plan)

    await run()

    assert len(shop.asked) <= 6
    assert details(plan) == {"deferred": 100}
    assert plan.scalar("select max(consecutive_failures) from headgate.asset_processing_state") == 0


async def test_a_failing_provider_is_left_alone_after_ten_faults(plan, shop, database, ask_again):
    shop.answer = text_of("oops", status=500)
    write_plan(
        plan,
        base_url=shop.url,
        assets=100,
        provider_columns={"max_in_flight": 2, "breaker_cooldown": "10 minutes"},
    )
    start(plan)

    async with working(database):
        await until(
            lambda: plan.scalar("select count(*) from headgate.chunks where state = 'parked'")
        )
        await ask_again()

    assert 10 <= len(shop.asked) <= 12


async def test_a_probe_goes_alone(plan, shop, database, ask_again):
    seen: list[str] = []
    shop.answer = when(lambda: seen, text_of("oops", status=500))
    write_plan(
        plan, base_url=shop.url, assets=10, provider_columns={"breaker_cooldown": "10 minutes"}
    )
    start(plan)
    plan.sql("update headgate.breakers set opened = 1, failures = 10 where provider_id is not null")

    async with working(database):
        await until(lambda: shop.open)
        await ask_again()
        seen.append("a probe that is under way")
        await until(lambda: not shop.open)
        await ask_again()

    assert len(shop.asked) == 1


async def test_after_an_answered_probe_the_others_follow(plan, shop, run):
    shop.answer = when(lambda: len(shop.asked) == 1 or shop.most_open == 9)
    write_plan(plan, base_url=shop.url, assets=10)
    start(plan)
    plan.sql("update headgate.breakers set opened = 1, failures = 10 where provider_id is not null")

    await run()

    assert details(plan) == {"success": 10}
    assert shop.most_open == 9


async def test_a_missing_secret_stops_nobody_else(plan, shop, run, caplog, monkeypatch):
    monkeypatch.delenv("NOT_SET", raising=False)
    write_plan(plan, base_url=shop.url, auth={"in": "bearer"}, secret_name="NOT_SET")
    write_plan(plan, base_url=shop.url, provider="stall")
    start(plan)
    start(plan, "r2", provider="stall")

    await run("r2", provider="stall")

    errors = [x.getMessage() for x in caplog.records if x.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "NOT_SET" in errors[0]
    assert "shop" in errors[0]
    assert len(shop.asked) == 10
    assert plan.sql("select state, lease_expirations from headgate.chunks") == [
        {"state": "queued", "lease_expirations": 0}
    ]


async def test_a_dangerous_pattern_defers_its_jobs_and_says_why(plan, shop, run):
    rule = {"status": "*", "body": "(a+)+$", "outcome": "failed", "reason": "x"}
    write_plan(plan, base_url=shop.url, assets=3, rules=(rule,))
    start(plan)

    await run()

    assert not shop.asked
    reason = plan.scalar("select max(reason) from headgate.asset_processing_details")
    assert "(a+)+$" in reason


async def test_only_the_queues_requested_are_read(plan, shop, database, ask_again):
    write_plan(plan, base_url=shop.url, assets=3, operation_columns={"priority": 2})
    write_plan(plan, base_url=shop.url, provider="stall", operation_columns={"priority": 8})
    start(plan)
    start(plan, "r2", provider="stall")

    async with working(database, queues=["stall_low", "shop_low"]):
        await until(lambda: len(shop.asked) == 10)
        await ask_again()

    assert len(shop.asked) == 10


async def test_stop_lets_open_calls_end_and_gives_back_the_rest(plan, shop, database, draining):
    stop = asyncio.Event()
    shop.answer = when(draining.is_set)
    write_plan(plan, base_url=shop.url, assets=100, provider_columns={"max_in_flight": 5})
    start(plan)

    async with working(database, stop) as task:
        await until(lambda: shop.open == 5)
    totals = task.result()

    assert len(shop.asked) == 5
    assert totals.jobs == {"success": 5}
    assert totals.released == 95
    assert details(plan) == {"success": 5}
    assert plan.sql("select state, cardinality(asset_ids) as jobs from headgate.chunks") == [
        {"state": "queued", "jobs": 95}
    ]


async def test_a_call_that_outlasts_the_end_is_cut_and_counts(plan, shop, database, monkeypatch):
    monkeypatch.setattr(worker, "DRAIN_SECONDS", 0.3)
    shop.answer = never()
    write_plan(
        plan,
        base_url=shop.url,
        assets=10,
        provider_columns={"max_in_flight": 2, "quota": 100},
        operation_columns={"units": 1},
    )
    start(plan)

    async with working(database):
        await until(lambda: shop.open == 2)

    assert plan.row("execution_status", p_pipeline="small_shop", p_run_id="r1")["parked"] == 2
    (window,) = plan.sql("select reserved, spent from headgate.quota_windows")
    assert window == {"reserved": 8, "spent": 2}


async def test_a_cancelled_runner_gives_back_what_it_holds(plan, shop, database, draining):
    shop.answer = when(draining.is_set)
    write_plan(plan, base_url=shop.url, assets=50, provider_columns={"max_in_flight": 5})
    start(plan)

    task = asyncio.create_task(work(database))
    await until(lambda: shop.open == 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert details(plan) == {"success": 5}
    assert plan.sql("select state from headgate.chunks") == [{"state": "queued"}]


async def test_a_lost_database_is_waited_for(plan, shop, run, database, caplog):
    kill = (
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = %(name)s and application_name like 'headgate worker%%'"
    )
    shop.answer = slow(0.05)
    write_plan(
        plan,
        base_url=shop.url,
        assets=60,
        provider_columns={"max_in_flight": 5},
        operation_columns={"chunk_size": 5},
    )
    start(plan)

    def have_ended(count: int) -> bool:
        return details(plan).get("success", 0) >= count

    async def disturb():
        for count in (5, 20, 35):
            await until(partial(have_ended, count))
            plan.sql(kill, name=database.database)

    disturbing = asyncio.create_task(disturb())
    await run()
    await disturbing

    assert details(plan) == {"success": 60}
    assert plan.scalar("select count(*) from public.answers") == 60
    told = [x.getMessage() for x in caplog.records if x.name == "headgate.worker.connection_pool"]
    losses = sum("lost the database" in x for x in told)
    assert 1 <= losses <= 6, "each of two connections says it once"
    assert sum("is back" in x for x in told) >= 1


async def test_cut_connections_are_tried_again(plan, shop, run):
    async def cut_first(request):
        is_first = shop.paths().count(request.path) == 1
        return await (cut if is_first else json_of("{}"))(request)

    shop.special["/api/things/T1"] = cut_first
    write_plan(plan, base_url=shop.url, assets=3, operation_columns={"backoff": "0.1 seconds"})
    start(plan)

    await run()

    assert details(plan) == {"success": 3}
    assert shop.paths().count("/api/things/T1") == 2


async def test_one_poisonous_answer_harms_only_its_own_job(plan, shop, run):
    shop.special["/api/things/T7"] = json_of('"poison"')
    write_plan(plan, base_url=shop.url, assets=100)
    plan.sql(
        "alter table public.answers add constraint no_poison check (payload not like '%poison%')"
    )
    start(plan)

    await run()

    assert details(plan) == {"success": 99, "failed": 1}


async def test_an_answer_that_cannot_be_written_ends_its_own_job_alone(
    plan, shop, run, monkeypatch, caplog
):
    monkeypatch.setattr(connection_pool, "FIRST_PAUSE", 0.01)
    write_plan(plan, base_url=shop.url, assets=9)
    plan.sql(
        "create function public.trip() returns trigger language plpgsql as $f$"
        " begin if new.payload = '\"bad\"' then raise exception 'no' using errcode = '55000';"
        " end if; return new; end $f$;"
        " create trigger trip before insert on public.answers"
        " for each row execute function public.trip()"
    )
    shop.special["/api/things/T3"] = json_of('"bad"')
    start(plan)

    await run()

    assert details(plan) == {"success": 8, "deferred": 1}
    (guilty,) = plan.sql(
        "select asset, error from headgate.v_asset_processing_history where status = 'deferred'"
    )
    assert guilty["asset"] == "T3"
    assert "cannot be stored: PostgreSQL reports: no (SQLSTATE 55000)" in guilty["error"]
    assert "could not be written" in caplog.text


async def test_a_database_that_is_not_there_is_reported_at_once(server):
    settings = Settings(
        dsn=dsn_of(server), database="no_such_database", home=server.home, db=server.db
    )

    with pytest.raises(ServerUnreachable, match="no_such_database"):
        await asyncio.wait_for(work(settings), PATIENCE)


async def test_a_database_without_our_functions_is_reported_at_once(clone):
    with pytest.raises(NotMigrated):
        await asyncio.wait_for(work(clone(None)), PATIENCE)


async def test_the_end_may_be_an_event(plan, database):
    ended = asyncio.Event()
    asyncio.get_running_loop().call_later(0.2, ended.set)

    totals = await asyncio.wait_for(work(database, until=ended), PATIENCE)

    assert totals.chunks == 0


async def test_rules_without_a_success_still_end_the_job(plan, shop, run):
    write_plan(plan, base_url=shop.url, assets=2, rules=({**OK, "outcome": "skipped"},))
    start(plan)

    totals = await run()

    assert totals.jobs == {"skipped": 2}
