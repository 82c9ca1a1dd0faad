"""Benchmark crawl: does a page of a large site cost more than one of a small site?

A site makes its pages on request: a tree, whose pages also link to pages that were read before. The product's crawler
reads all of it: pages are assets, waves are planned, a worker fetches, parses and ingests. Afterwards the links of some
pages are judged again, when all of the site is known.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from psycopg import Rollback
from psycopg.types.json import Jsonb

from headgate.database import connect
from headgate.demo.services import running
from headgate.demo.services.stand_in import Ask, Reply, StandIn
from headgate.settings import Settings
from tests.adopt import adopt
from tests.benchmarks import system
from tests.benchmarks.measure import Figure
from tests.benchmarks.memory import megabytes
from tests.limits import wait_until
from tests.plan import Plan

SIZES: Final = (1_000, 20_000)
FAN: Final = 20
"""Links from a page to new ones; as many lead back."""
MAX_GROWTH: Final = 1.3
"""Of the time for a page, from the smallest site to the largest."""
MAX_FRONTIER_GROWTH: Final = 2.0
MAX_MB: Final = 60.0
TURNS: Final = 15
JUDGED: Final = 50
TABLE: Final = """
    create table public.pages (asset_id bigint primary key, title text, body text);
    create function public.keep_pages(p_context jsonb, p_asset_ids bigint[], p_answers headgate.answer[])
    returns setof headgate.ingest_result
    language sql volatile security definer set search_path = pg_catalog, pg_temp
    as $func$
        with taken as materialized (
            select * from headgate.take_pages(p_context ->> 'operation', p_answers, 50, 1000000)
        ),
        kept as (
            insert into public.pages
            select t.asset_id, t.page ->> 'title', t.page ->> 'text' from taken as t where t.status = 'success'
        )
        select t.asset_id, t.status, 1, null::timestamptz, t.reason from taken as t;
    $func$;
"""
PLAN: Final = """
    alter function public.keep_pages owner to headgate_plan_public;
    grant execute on function headgate.take_pages to headgate_plan_public;
    grant select (result), insert (function, arguments) on headgate._requests to headgate_plan_public;
    select headgate.begin_plan('public');
    select headgate.put_provider('site', '{url}', requests_per_minute => 600000, max_in_flight => 50);
    select headgate.put_rule('site', '200-499', 'success', 'answered');
    select headgate.put_operation('site_robots', due => 'every 20 hours', provider => 'site',
        request => 'GET /robots.txt', parser => 'robots', ingest_function => 'headgate.ingest_robots');
    select headgate.put_operation('site_page', 'site_pages', due => 'run', provider => 'site',
        request => 'GET {{asset.code!}}', chunk_size => 50, parser => 'html', ingest_function => 'public.keep_pages');
    select headgate.put_pipeline('site');
    select headgate.put_step('site', 'read_robots', operations => '{{site_robots}}');
    select headgate.put_step('site', 'crawl', operations => '{{site_page}}', depends_on => '{{read_robots}}',
        max_waves => 50);
    select headgate.end_plan();
    select headgate.upsert_assets('site_pages', '[{{"code": "/0", "group_key": "page"}}]');
    select headgate.check_plans(), headgate.note_schema();
"""
AGAIN: Final = """
    select count(*) from headgate.take_pages('site_page', (
        select array_agg(jsonb_populate_record(null::headgate.answer, n.answer || jsonb_build_object(
            'asset_id', (select a.asset_id from headgate.assets as a
                where a.universe = 'site_pages' and a.code = n.answer ->> 'code')
        )))
        from jsonb_array_elements(%(answers)s) as n (answer)
    ), 50, 1000000)
"""


@dataclass(frozen=True, slots=True)
class Crawled:
    """What the crawl of a site took."""

    pages: int
    seconds: float
    worker_mb: float
    frontier_ms: float

    @property
    def rate(self) -> float:
        """Return pages a second."""
        return self.pages / self.seconds


def run(server: Settings, *, sizes: tuple[int, ...] = SIZES) -> Iterator[Figure]:
    """Crawl sites of so many pages, the smallest first."""
    found = [_crawl(server, size) for size in sizes]
    first, last = found[0], found[-1]
    yield Figure(
        f"crawl: a site of {last.pages:,} pages", last.rate, unit="pages a second",
        detail=f"{last.seconds:.0f} s",
    )  # fmt: skip
    yield Figure(
        f"crawl: time for a page, {last.pages:,} against {first.pages:,}",
        first.rate / last.rate,
        at_most=MAX_GROWTH,
        detail=", ".join(f"{x.pages:,}: {x.rate:,.0f} a second" for x in found),
    )
    yield Figure(
        f"crawl: time to find what is new among {JUDGED * 2 * FAN:,} links, {last.pages:,} pages known"
        f" against {first.pages:,}",
        last.frontier_ms / first.frontier_ms,
        at_most=MAX_FRONTIER_GROWTH,
        detail=", ".join(f"{x.pages:,}: {x.frontier_ms:.0f} ms" for x in found),
    )
    yield Figure(
        "crawl: peak of memory of the worker",
        max(x.worker_mb for x in found),
        unit="MB",
        at_most=MAX_MB,
        detail=", ".join(f"{x.pages:,}: {x.worker_mb:.0f}" for x in found),
    )


def links_of(number: int, pages: int) -> list[int]:
    """Return the pages that a page links to: its own branches, and pages nearer to the first one."""
    branches = range(FAN * number + 1, FAN * number + FAN + 1)
    return [x for x in (*branches, *(number // n for n in range(1, FAN + 1))) if x < pages]


def _site(pages: int) -> StandIn:
    def page(ask: Ask) -> Reply:
        number = int(ask.path[1:])
        anchors = "".join(f'<a href="/{x}">{x}</a>' for x in links_of(number, pages))
        body = f"<html><head><title>{number}</title></head><body>{'words ' * 200}{anchors}</body></html>"
        return Reply(body.encode(), headers={"Content-Type": "text/html; charset=utf-8"})

    robots = Reply(b"User-agent: *\nAllow: /\n", headers={"Content-Type": "text/plain"})
    return StandIn("site", {("GET", "/robots.txt"): lambda _: robots}, rest=page)


def _crawl(server: Settings, pages: int) -> Crawled:
    with (
        running([_site(pages)]) as services,
        system.own_database(server, f"crawl_{pages}") as settings,
        connect(settings, "bench") as connection,
    ):
        plan = Plan(connection)
        url = services["site"].url
        plan.sql(TABLE)
        adopt(connection)
        connection.execute(PLAN.format(url=url).encode())
        with system.worker(settings, processes=1) as worker:
            started = time.perf_counter()
            run_id = plan.row("run_pipeline", p_pipeline="site")["run_id"]
            wait_until(
                lambda: (
                    plan.row("execution_status", p_pipeline="site", p_run_id=run_id)["status"]
                    != "running"
                ),
                "the end of the crawl",
            )
            seconds = time.perf_counter() - started
            worker_mb = megabytes(worker.pid, "VmHWM")
        assert plan.scalar("select count(*) from public.pages") == pages
        return Crawled(pages, seconds, worker_mb, _frontier(plan, url, pages))


def _frontier(plan: Plan, url: str, pages: int) -> float:
    """Return the milliseconds in which the links of some pages are judged, all of which are known."""
    answers = [
        {
            "code": f"/{number}", "status": 200, "headers": {},
            "body": {"url": f"{url}/{number}", "robots": "", "links": [f"{url}/{x}" for x in links_of(number, pages)]},
        }
        for number in range(min(JUDGED, pages // FAN))
    ]  # fmt: skip
    taken = []
    for _ in range(TURNS):
        with plan.connection.transaction():
            started = time.perf_counter()
            plan.sql(AGAIN, answers=Jsonb(answers))
            taken.append(1_000 * (time.perf_counter() - started))
            raise Rollback
    return statistics.median(taken)
