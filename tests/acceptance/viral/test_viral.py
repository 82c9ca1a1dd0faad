"""The viral learning flywheel as a whole: [V1] to [V8] of its contract, before an invented audience."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow.parquet
import pytest

from headgate.database import dsn_of
from headgate.demo.services import Ask, Reply
from tests.acceptance.viral.conftest import FLYWHEEL, MAINTENANCE, NONSENSE, POISONED, World
from tests.plan import Plan

KPIS = (
    "engagement_rate",
    "cost_per_follow",
    "content_generated_total",
    "pattern_accuracy",
    "revenue_projection_monthly",
)
HEALTH = """
select viral.health_report(array_agg(row(
    a.asset_id, x.status, '{}', x.body, x.took, 1, false)::headgate.answer), '2026-11-30 02:00:00.5+00')
from (values
    ('orchestrator', 200, '{"status": "ok"}', 245.24), ('viral_scraper', 200, '{"status": "healthy"}', 999.9),
    ('viral_engine', 200, '{"status": "healthy"}', 2350.4), ('viral_pattern_engine', 503, 'no', 3)
) as x (service, status, body, took)
join headgate.v_assets as a on a.code = x.service and a.universe = 'viral_services'
"""
SAMPLES = 'a_total{x="1",y="q\\"z, {"} 2.5e3 170000\n# HELP a b\na 1\nbad line\ny{} NaN\nz 1x\n'
FAILED = """
select asset, reason from headgate.v_asset_processing_history
where run_id = %(r)s and operation = %(o)s and status = 'failed' order by asset
"""
VACUUMED = "select vacuum_count from pg_stat_user_tables where schemaname = 'viral'"
V10 = {
    "airflow_viral_scraper_execution_seconds",
    "airflow_viral_engine_processing_seconds",
    "airflow_thompson_sampling_optimization_seconds",
    "airflow_metrics_collection_seconds",
    "airflow_health_check_duration_seconds",
    "airflow_operator_memory_usage_bytes",
    "airflow_connection_pool_utilization",
    "airflow_cache_hit_ratio",
    *(f"viral_learning_{x}" for x in KPIS),
}
METRICS = """
select name, type, labels, value from headgate.v_metrics
where name like any ('{airflow\\_%%,viral\\_learning\\_%%}')
"""
Turned = tuple[World, str]


def test_v1_the_report_of_the_services_health_has_the_contracts_shape(db: Plan):
    assert db.scalar(HEALTH) == {
        "check_timestamp": "2026-11-30T02:00:00Z",
        "total_services": 5,
        "required_services": ["orchestrator", "viral_scraper"],
        "services": {
            x: {"status": status, "response_time_ms": took, "additional_checks": {}}
            for x, status, took in (
                ("orchestrator", "healthy", 245.2),
                ("viral_scraper", "healthy", 999.9),
                ("viral_engine", "degraded", 2350.4),
                ("viral_pattern_engine", "unhealthy", 3.0),
                ("persona_runtime", "unhealthy", None),
            )
        },
        "summary": {
            "healthy": 2,
            "unhealthy": 2,
            "degraded": 1,
            "warnings": [
                "persona_runtime: no answer",
                "viral_engine: Response time 2350ms exceeds threshold 2000ms",
                "viral_pattern_engine: not healthy, answered 503",
            ],
        },
        "overall_status": "degraded",
    }


async def test_v1_a_required_service_that_is_down_fails_the_run_and_its_report_is_kept(
    world: World,
):
    world.services["viral_scraper"].fail("cut", times=1)
    world.services["persona_runtime"].fail("text", times=1)

    run_id = await world.run(FLYWHEEL)

    assert world.status(run_id) == "failed"
    steps = world.steps(run_id)
    assert (steps["ask_required"], steps["health_check"]) == ("failed", "failed")
    assert steps["trigger_scraping"] == "skipped"
    assert steps["generate_workflow_report"] == "succeeded"
    said = world.output(run_id, "health_check")["error"]
    assert said == "persona_runtime: not healthy, answered 200; viral_scraper: no answer"
    assert world.health(run_id)["overall_status"] == "unhealthy"
    rows = world.plan.sql(
        "select status from viral.v_service_health where is_required order by service"
    )
    assert [x["status"] for x in rows] == ["healthy", "unhealthy"]
    assert [x.ask.method for x in world.services["viral_engine"].calls] == ["GET"]

    world.set_threshold(0, "viral_engine")
    strict = await world.run(FLYWHEEL, fail_on_warning=True)

    assert world.steps(strict)["health_check"] == "failed"
    assert world.health(strict)["overall_status"] == "degraded"


def test_v1_a_service_that_is_slow_is_a_warning_and_the_run_continues(turned: Turned):
    world, run_id = turned

    assert world.status(run_id) == "succeeded"
    report = world.health(run_id)
    assert report["overall_status"] == "degraded"
    assert report["services"]["viral_engine"]["status"] == "degraded"
    (warning,) = report["summary"]["warnings"]
    assert re.fullmatch(r"viral_engine: Response time \d+ms exceeds threshold 0ms", warning)
    assert world.output(run_id, "health_check") == report


def test_v2_posts_are_read_page_by_page_those_above_the_percentile_kept_poisoned_ones_put_aside(
    turned: Turned,
):
    world, run_id = turned
    asked = [x.ask for x in world.services["viral_scraper"].calls if x.ask.path == "/viral-posts"]
    assert Counter(x.query["page"] for x in asked) == {"1": 2, "2": 2, "3": 2}
    assert all("since" not in x.query for x in asked)
    posts = world.plan.sql("select * from viral.posts")
    wanted = {x["post_url"]: x for y in world.audience.posts.values() for x in y}
    assert {x["post_url"] for x in posts} == wanted.keys()
    threshold = np.percentile([x["engagement_rate"] for x in wanted.values()], 80)
    for post in posts:
        assert post["is_viral"] == (wanted[post["post_url"]]["engagement_rate"] > threshold)
    assert world.output(run_id, "select_viral_posts")["viral_posts"] == len(posts) // 5
    rows = world.plan.sql("select reason from viral.refused_posts order by reason")
    assert [x["reason"] for x in rows] == 2 * ["it has no timestamp"] + 2 * ["it is no object"]
    assert len(rows) == 2 * len(POISONED)


async def test_v2_an_account_is_scraped_at_80_percent_of_the_services_pace_and_continues_afterwards(
    world: World,
):
    scraper = world.services["viral_scraper"]
    path = ("POST", "/scrape/account/tech_leader")
    served, limited = scraper.routes[path], [Reply(b"{}", 429, {"Retry-After": "0"})]
    scraper.routes = {
        **scraper.routes,
        path: lambda ask: limited.pop() if limited else served(ask),
    }
    world.plan.sql(
        "update headgate.operations set backoff = '1 millisecond' where name = 'viral_scrape'"
    )

    def scraped() -> list[int | None]:
        return [x.status for x in scraper.calls if x.ask.method == "POST"]

    await world.run(FLYWHEEL)
    posts = world.plan.scalar("select count(*) from viral.posts")
    second = await world.run(FLYWHEEL)

    assert world.status(second) == "succeeded"
    (cached,) = world.plan.sql(
        "select hits, misses from headgate.v_cache where operation = 'viral_patterns'"
    )
    assert cached["hits"] == cached["misses"] == texts_asked(world), "the second run asks for none"
    assert sorted(map(str, scraped())) == ["200", "200", "429"]
    assert world.plan.scalar("select count(*) from viral.posts") == posts

    world.move_clock(world.plan.value("clock") + timedelta(seconds=76))
    third = await world.run(FLYWHEEL)

    assert (world.status(third), len(scraped())) == ("succeeded", 5)
    asked = [x.ask for x in scraper.calls if x.ask.path == "/viral-posts"]
    assert all("since" in x.query and x.query["page"] == "1" for x in asked[-2:])
    assert world.plan.scalar("select count(*) from viral.posts") == posts + 16


def texts_asked(world: World) -> int:
    """Return how many times the pattern engine was asked for a text."""
    calls = world.services["viral_pattern_engine"].calls
    return sum(x.ask.path == "/extract-patterns" for x in calls)


def test_v3_equal_texts_are_requested_once_and_nonsense_fails_its_text_alone(turned: Turned):
    world, run_id = turned
    asked = Counter(
        x.ask.json()["content"]
        for x in world.services["viral_pattern_engine"].calls
        if x.ask.path == "/extract-patterns"
    )
    texts = {x["content"] for x in world.plan.sql("select content from viral.posts")}
    assert asked == Counter(texts)
    assert len(texts) < 40 < world.plan.scalar("select count(*) from viral.posts")
    failed = world.plan.sql(FAILED, r=run_id, o="viral_patterns")
    assert len(failed) == len(NONSENSE)
    assert all(x["reason"].startswith("the answer has no patterns: ") for x in failed)
    assert world.output(run_id, "score_patterns")["best_hook"] == "curiosity_gap"


def test_v4_a_decision_can_be_made_again_from_its_row(turned: Turned):
    world, run_id = turned
    (row,) = world.plan.sql("select * from viral.decisions")
    generator = np.random.Generator(np.random.PCG64(row["seed"]))
    draws = generator.beta(np.array(row["successes"]) + 1.0, np.array(row["failures"]) + 1.0)
    assert row["draws"] == draws.tolist()
    drawn = dict(zip(row["variants"], row["draws"], strict=True))
    places = [drawn[x] for x in row["chosen"]]
    assert places == sorted(places, reverse=True)
    assert len(row["chosen"]) == len(row["explored"]) == 10, "all have fewer than 100 views"
    assert world.output(run_id, "optimize_parameters")["seed"] == row["seed"]
    (told,) = [x.ask for x in world.services["orchestrator"].calls if x.ask.method == "POST"]
    weights = told.json()["variant_weights"]
    assert set(weights.values()) == {0.1}
    choices = world.plan.sql("select variant_id from viral.v_choices where rank is not null")
    assert {x["variant_id"] for x in choices} == weights.keys()


async def test_v4_and_v5_outcomes_and_kpis_are_exactly_what_the_audience_did(world: World):
    """Two flywheels, six hours apart, each of which reads the totals twice; the first has to publish twice, too.

    Its first call is served and then cut, so that nobody knows whether it was.
    """
    orchestrator = world.services["orchestrator"]
    read = ("GET", "/thompson-sampling/variants")
    served = orchestrator.routes[read]

    def read_and_cut_what_follows(ask: Ask) -> Any:
        orchestrator.routes = {**orchestrator.routes, read: served}
        orchestrator.fail("cut_after", times=1)
        return served(ask)

    orchestrator.routes = {**orchestrator.routes, read: read_and_cut_what_follows}
    kpis: list[dict[str, Any]] = []
    done = [done_by(world)]
    for _ in range(2):
        world.move_clock(world.plan.value("clock") + timedelta(hours=6))
        run_id = await world.run(FLYWHEEL)
        kpis.append(world.kpis(run_id))
        done.append(done_by(world))

    published = [x.ask for x in orchestrator.calls if x.ask.method == "POST"]
    assert [x.headers["Idempotency-Key"] for x in published[:2]] == 2 * [
        published[0].headers["Idempotency-Key"]
    ]
    assert len(published) == 3
    assert world.audience.cost == pytest.approx(2 * 0.8)
    for nth, found in enumerate(kpis):
        reactions, views, cost, follows = (
            y - x for x, y in zip(done[nth], done[nth + 1], strict=True)
        )
        assert found["engagement_rate"] == pytest.approx(reactions / views)
        assert found["cost_per_follow"] == pytest.approx(cost / follows, abs=1e-6)
    assert kpis[0]["pattern_accuracy"] is None
    assert 0.5 < kpis[1]["pattern_accuracy"] <= 1
    assert kpis[1]["content_generated_total"] == len(world.audience.variants) == 32
    assert kpis[1]["revenue_projection_monthly"] == pytest.approx(done[2][3] * 1.15, abs=0.01)
    rows = world.plan.sql("select variant_id, successes, failures from viral.variants")
    assert {x["variant_id"]: (x["successes"], x["failures"]) for x in rows} == {
        x.variant_id: (x.successes, x.failures) for x in world.audience.variants.values()
    }
    executive = world.plan.sql("select * from viral_bi.executive")
    assert tuple(x["name"] for x in executive) == KPIS
    assert {x["name"]: x["value"] for x in executive} == kpis[1]
    history = world.plan.sql("select * from viral_bi.kpis where run_id = %(r)s", r=run_id)
    assert {x["name"]: x["value"] for x in history} == kpis[1]
    assert executive[0]["change"] == pytest.approx(
        kpis[1]["engagement_rate"] - kpis[0]["engagement_rate"]
    )
    checks = world.plan.sql(
        "select name, value from headgate.v_checks where pipeline = %(p)s", p=FLYWHEEL
    )
    assert {x["name"].removeprefix("viral_"): float(x["value"]) for x in checks} == pytest.approx(
        {"engagement": kpis[1]["engagement_rate"], "cost_per_follow": kpis[1]["cost_per_follow"]}
    )


def done_by(world: World) -> tuple[int, int, float, int]:
    """Return what the audience has done: reactions, views, their cost, followers."""
    shown = world.audience.variants.values()
    reactions = sum(x.successes for x in shown)
    views = reactions + sum(x.failures for x in shown)
    return reactions, views, world.audience.cost, world.audience.follows


def test_v5_a_service_without_metrics_is_named_and_holds_up_no_others(turned: Turned):
    world, run_id = turned
    (failed,) = world.plan.sql(FAILED, r=run_id, o="viral_metrics")
    assert failed == {"asset": "persona_runtime", "reason": "it has no metrics: answered 404"}
    rows = world.plan.sql("select distinct service from viral.metrics order by 1")
    assert [x["service"] for x in rows] == [
        "orchestrator", "viral_engine", "viral_pattern_engine", "viral_scraper",
    ]  # fmt: skip


def test_v5_samples_are_read_with_their_labels_and_what_is_none_is_passed_over(db: Plan):
    rows = db.call("viral.read_samples", p_text=SAMPLES)
    assert [(x["name"], x["labels"], str(x["value"])) for x in rows] == [
        ("a_total", {"x": "1", "y": 'q\\"z, {'}, "2500.0"),
        ("a", {}, "1.0"),
        ("y", {}, "nan"),
    ]


def test_v6_the_report_of_a_run_is_a_page_with_charts_and_nothing_that_runs(turned: Turned):
    world, run_id = turned
    (row,) = world.plan.sql("select report, html from viral.reports")
    report, html = row["report"], row["html"]
    figures = report["performance_metrics"]
    assert set(report) == {
        "workflow_id", "execution_date", "duration_minutes", "performance_metrics",
        "optimization_parameters", "success", "recommendations",
    }  # fmt: skip
    assert (report["workflow_id"], figures) == (run_id, world.kpis(run_id))
    assert report["optimization_parameters"]["chosen"] == 10
    on_target = figures["engagement_rate"] >= 0.06 and figures["cost_per_follow"] <= 0.01
    assert report["success"] is on_target
    said = " ".join(report["recommendations"])
    assert "viral_engine: Response time" in said
    assert "4 posts of this run were none" in said
    assert "&lt;script&gt;" in html and "<script" not in html
    charts = re.findall(r"<svg.*?</svg>", html)
    assert len(charts) == len(KPIS) - 1, "no post came after the first scores yet"
    for chart in charts:
        ElementTree.fromstring(chart)
    rows = 3 + 10 + 5 + world.plan.scalar("select count(*) from viral.pattern_scores")
    assert html.count("<tr>") == rows


def test_v7_calls_share_connections(turned: Turned):
    world, _ = turned
    engine = world.services["viral_pattern_engine"]
    assert len(engine.calls) > 30
    assert engine.connections <= 5 + 2, "five for its texts at once, two for health and metrics"


async def test_six_weeks_raise_engagement_count_everything_once_and_keep_tables_small(
    world: World,
):
    """Eight flywheels six days apart, with a maintenance in the middle and one at the end."""
    runs = await world.turn(8, timedelta(days=6))

    assert {world.status(x) for x in runs} == {"succeeded"}
    shown = world.audience.variants.values()
    rates = [world.kpis(x)["engagement_rate"] or 0 for x in runs]
    assert np.mean(rates[-4:]) > 1.2 * np.mean([x.rate for x in shown]), "more than by chance"

    known = world.plan.sql("select variant_id, successes, failures from viral.variants")
    assert {x["variant_id"]: (x["successes"], x["failures"]) for x in known} == {
        x.variant_id: (x.successes, x.failures) for x in shown
    }
    since = world.plan.value("clock") - timedelta(days=30)
    posts = world.plan.sql("select post_url from viral.posts")
    assert {x["post_url"] for x in posts} == {
        x["post_url"] for posts in world.audience.posts.values() for x in posts if x["at"] > since
    }

    left = world.plan.sql("select run_id, service, name, labels::text from viral.metrics")
    files = world.archive.rglob("*.parquet")
    moved = [x for file in files for x in pyarrow.parquet.read_table(file).to_pylist()]
    samples = Counter(x["run_id"] for x in [*left, *moved])
    assert samples.keys() == set(runs) and len(set(samples.values())) == 1
    assert len({x["run_id"] for x in moved}) == 2, "those of two runs are more than 30 days old"
    for table in ("decisions", "reports", "health_checks"):
        assert world.plan.scalar(f"select count(*) from viral.{table}") <= 8
    offered = world.plan.scalar(
        "select cardinality(variants) from viral.decisions order by decided_at desc limit 1"
    )
    assert offered < len(shown) - 10, "some are retired; ten were made after the last decision"


def test_v10_the_contracts_metrics_have_the_figures_of_the_last_flywheel(turned: Turned):
    world, run_id = turned
    rows = world.plan.sql(METRICS)
    found = {x["name"]: x["value"] for x in rows}
    measured = world.plan.sql("select name, value from viral.kpis")
    kpis = {f"viral_learning_{x['name']}": x["value"] for x in measured}
    unmeasured = {x for x, value in kpis.items() if value is None}

    assert found.keys() == V10 - unmeasured
    assert unmeasured <= {"viral_learning_pattern_accuracy"}  # a first run has no earlier patterns
    assert all(x["value"] >= 0 for x in rows)
    assert {x: found.get(x) for x in kpis} == kpis
    assert {x["type"] for x in rows if x["name"].endswith("_total")} == {"counter"}
    (step,) = world.plan.sql(
        "select extract(epoch from finished_at - started_at)::float8 as seconds from headgate.v_execution_steps"
        " where run_id = %(run_id)s and step = 'optimize_parameters'",
        run_id=run_id,
    )
    assert found["airflow_thompson_sampling_optimization_seconds"] == step["seconds"]
    operators = {x["labels"]["operator"] for x in rows if "memory" in x["name"]}
    assert operators >= {"viral_decision"}


def test_variants_are_retired_for_three_reasons_and_come_back_when_none_holds(db: Plan):
    db.sql(
        "insert into viral.variants (variant_id, persona, dimensions, successes, failures, created_at)"
        " select v.id, '', jsonb_build_object('hook', v.hook), v.s, v.f, headgate.clock() - v.age"
        " from (values"
        " ('best', 'a', 90, 910, interval '1 year'), ('good', 'a', 70, 930, '1 year'),"
        " ('poor', 'a', 40, 960, '1 year'), ('unlucky', 'a', 0, 20, '1 year'),"
        " ('new', 'a', 0, 0, '6 days'), ('old', 'a', 0, 0, '8 days'), ('loud', 'b', 0, 0, '1 day'),"
        " ('unknown', 'c', 0, 0, '1 day')) as v (id, hook, s, f, age)"
    )
    db.sql(
        "insert into viral.pattern_scores select 'r1', 'hook', h, 9, 0.1, h = 'a', 0.1, 0, 0, headgate.clock()"
        " from unnest(array['a', 'b']) as h"
    )
    retired = {"old": "never shown, and a week old", "loud": "posts with its hook do poorly"}
    assert reasons(db) == retired, "before the first decision nobody knows how many are chosen"

    db.sql(
        "insert into viral.decisions select 'r1', 1, 1, '{}', '{}', '{}', '{}',"
        " array_agg(v.variant_no), '{}', headgate.clock()"
        " from viral.variants as v where v.variant_id in ('best', 'good')"
    )
    assert reasons(db) == retired | {"poor": "others are better"}

    db.sql("update viral.variants set successes = 140 where variant_id = 'poor'")
    db.sql("update viral.pattern_scores set is_expected_above = true")
    assert reasons(db) == {"old": retired["old"], "good": "others are better"}


def reasons(db: Plan) -> dict[str, str]:
    """Return why each retired variant is."""
    rows = db.sql("select * from viral.v_variants where retired_because is not null")
    return {x["variant_id"]: x["retired_because"] for x in rows}


async def test_v8_old_metrics_move_to_parquet_and_a_crash_in_between_loses_and_doubles_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    world.plan.sql(
        "insert into viral.metrics select 'r' || n, 'engine', 'm', '{}', n, headgate.clock() - n * interval '10 days'"
        " from generate_series(1, 5) as n"
    )
    world.plan.sql(
        "insert into viral.health_checks values ('old', headgate.clock() - interval '31 days', 'healthy', '{}'),"
        " ('new', headgate.clock() - interval '29 days', 'healthy', '{}')"
    )
    old = world.plan.sql(
        "select run_id from viral.metrics where measured_at < headgate.clock() - interval '31 days' order by 1"
    )
    set_archiving(world, "viral.is_killed")
    killed = await world.run(MAINTENANCE)

    assert world.steps(killed)["metrics_export"] == "succeeded"
    assert world.steps(killed)["metrics_archive"] == "failed"
    assert world.plan.scalar("select count(*) from viral.metrics") == 5

    set_archiving(world, "viral.metrics_archive")
    done = await world.run(MAINTENANCE)
    files = sorted(world.archive.rglob("*.parquet"))
    again = await world.run(MAINTENANCE)

    assert set(world.steps(done).values()) == set(world.steps(again).values()) == {"succeeded"}
    assert world.output(done, "metrics_archive") == {"deleted": 2, "archived_days": 2, "left": 3}
    assert world.output(again, "metrics_archive")["deleted"] == 0
    assert sorted(world.archive.rglob("*.parquet")) == files
    kept = [x for file in files for x in pyarrow.parquet.read_table(file).to_pylist()]
    assert sorted(x["run_id"] for x in kept) == [x["run_id"] for x in old] == ["r4", "r5"]
    assert world.output(killed, "log_cleanup")["health_checks"] == 1
    assert world.plan.scalar("select count(*) from viral.health_checks where run_id = 'new'") == 1
    for engine in ("viral_engine", "viral_pattern_engine"):
        asked = [x.ask.path for x in world.services[engine].calls]
        assert asked.count("/cache/refresh") == 3
    assert world.output(done, "database_maintenance")["analyzed"] > 10
    (skipped,) = world.plan.sql(
        "select reason from headgate.v_asset_processing_history"
        " where run_id = %(r)s and operation = 'viral_vacuum'",
        r=done,
    )
    assert skipped["reason"] == "VIRAL_OWNER_DSN is not set: dead rows are left to autovacuum"
    assert world.output(done, "health_afterwards")["overall_status"] == "healthy"
    assert world.health(done) == world.output(done, "health_afterwards")

    tables = world.plan.sql(VACUUMED)
    monkeypatch.setenv("VIRAL_OWNER_DSN", dsn_of(world.settings))
    vacuumed = await world.run(MAINTENANCE)

    assert world.output(vacuumed, "vacuum_tables")["vacuumed"] == len(tables)
    assert all(x["vacuum_count"] == 1 for x in world.plan.sql(VACUUMED))


def set_archiving(world: World, function: str) -> None:
    """Set the function that deletes what is archived; one that does not exist stands for a crash."""
    world.plan.sql(
        "update headgate.pipeline_steps set function = %(f)s where step = 'metrics_archive'",
        f=function,
    )
