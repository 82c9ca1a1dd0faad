"""The recommender as a whole: [R1] to [R6] of its contract, on a source of invented rows and of real ones."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.acceptance import real
from tests.acceptance.recommender.conftest import World

TRAINING = "recommender_training_pipeline"
INTEGRATION = "noblestride_integration_pipeline"
FOLDER = "investors_companies"


async def test_a_model_is_trained_measured_and_put_in_use(world: World):
    run_id = await world.run(TRAINING)

    assert set(world.steps(run_id).values()) == {"succeeded"}
    model = world.model()
    assert model["is_in_use"], model["decision"]
    assert model["training_samples"] == world.source.scalar(
        "select count(*) from deals where investor_id <> 100"
    )
    (posted,) = world.posted()
    assert posted["model_version"] == model["model_version"]
    assert posted["training_samples"] == model["training_samples"]
    assert posted["model_type"] == "recommendation_model"
    assert posted["training_timestamp"].endswith("Z")
    assert posted["metrics"]["ndcg_at_10"] == pytest.approx(model["ndcg_at_10"])


async def test_r2_recommendations_are_new_to_the_investor_and_of_their_own_sector(world: World):
    await world.run(TRAINING)

    found = world.plan.sql(
        "select r.*, i.investor_id, b.business_id from recommender.v_recommendations as r"
        " join recommender.investors as i on i.name = r.investor"
        " join recommender.businesses as b on b.name = r.company"
    )
    assert {x["investor_id"] for x in found} == set(range(60))
    taken = {(x["investor_id"], x["business_id"]) for x in world.source.sql("select * from deals")}
    assert not taken & {(x["investor_id"], x["business_id"]) for x in found}
    first = [x for x in found if x["rank"] == 1]
    own = [x["business_id"] // 12 == x["investor_id"] % 4 for x in first]
    assert sum(own) / len(own) > 0.9
    assert {x["model_version"] for x in found} == {world.model()["model_version"]}


async def test_a_model_that_is_not_better_is_kept_but_not_used(world: World):
    await world.run(TRAINING)
    first = world.model()["model_version"]
    world.plan.sql("update recommender.models set ndcg_at_10 = 0.99")

    run_id = await world.run(TRAINING)

    second = world.model()
    assert second["run_id"] == run_id
    assert not second["is_in_use"]
    assert second["decision"].startswith("not used: NDCG at 10 is")
    assert (
        world.plan.scalar("select model_version from recommender.models where is_in_use") == first
    )
    assert (
        world.plan.scalar("select distinct model_version from recommender.v_recommendations")
        == first
    )


async def test_a_second_extraction_reads_what_has_changed_since(world: World):
    await world.run(TRAINING)
    world.source.sql("insert into investors (id, name) values (61, 'New Angels')")
    world.source.sql("insert into deals (investor_id, business_id) values (61, 3)")

    await world.run(TRAINING)

    assert (
        world.plan.scalar("select name from recommender.investors where investor_id = 61")
        == "New Angels"
    )
    assert world.plan.scalar("select count(*) from recommender.deals where investor_id = 61") == 1


async def test_an_integration_run_counts_every_table_and_tells_the_service(world: World):
    run_id = await world.run(INTEGRATION)

    counts = {"businesses": 48, "feedback": 300, "investors": 61, "users": 120}
    counts["deals"] = world.source.scalar("select count(*) from deals")
    summary = world.output(run_id, "summarize_tables")
    assert summary["table_summary"] == counts
    assert summary["total_records"] == sum(counts.values())
    (posted,) = world.posted()
    assert posted["source"] == "noblestride_database"
    assert posted["table_summary"] == counts
    assert posted["total_records"] == sum(counts.values())


async def test_r1_the_real_investments_are_learned_better_than_popularity(world: World):
    needs_real_data()
    load_real(world.source)

    await world.run(TRAINING)

    model = world.model()
    assert model["is_in_use"]
    assert model["ndcg_at_10"] > model["popularity_ndcg_at_10"] * 1.5
    assert model["recall_at_10"] > model["popularity_recall_at_10"]
    counts = world.plan.sql(
        "select (select count(*) from recommender.businesses) as businesses,"
        " (select count(*) from recommender.investors) as investors,"
        " (select count(*) from recommender.deals) as deals"
    )
    assert counts == [{"businesses": 688, "investors": 766, "deals": 2338}]


async def test_r5_training_waits_for_an_integration_run_of_the_day(world: World):
    start(world)
    with pytest.raises(
        psycopg.Error, match="no run of noblestride_integration_pipeline has succeeded"
    ):
        world.plan.sql(
            "select recommender.require_integration(%(p)s, %(r)s)", p=TRAINING, r="waits"
        )
    world.plan.call("cancel_execution", p_pipeline=TRAINING, p_run_id="waits")

    done = await world.run(INTEGRATION)
    run_id = await world.run(TRAINING, wait_for_integration=True)

    assert world.output(run_id, "await_integration") == {"waited": True, "integration_run": done}


async def test_r6_figures_of_data_quality_are_counted(world: World):
    await world.run(TRAINING)
    world.plan.sql("update recommender.businesses set status = null where business_id < 12")

    world.plan.value("run_checks")
    figures = {
        x["name"].removeprefix("recommender_"): float(x["value"])
        for x in world.plan.sql("select * from headgate.v_checks where name like 'recommender_%%'")
    }

    assert figures["completeness"] == pytest.approx(36 / 48)
    assert figures["consistency"] == 1
    assert 0 <= figures["timeliness"] < 1


def start(world: World) -> None:
    """Start the run `waits`, without a runner."""
    params = {"wait_for_integration": True}
    world.plan.call("run_pipeline", p_pipeline=TRAINING, p_params=params, p_run_id="waits")


def needs_real_data() -> None:
    """Skip a test if the files are missing."""
    if not (real.FOLDER / FOLDER).exists():
        pytest.skip(f"HEADGATE_DATA names no folder that holds {FOLDER}")


def load_real(source: Any) -> None:
    """Replace the invented rows by the real ones."""
    source.sql("truncate deals, businesses, investors cascade")
    for row in real.rows(f"{FOLDER}/investors.csv.gz"):
        source.sql(
            "insert into investors (id, name, is_accelerator) values (%(id)s, %(name)s, %(is)s)",
            **{
                "id": int(row["investor_id"][1:]),
                "name": row["investor"],
                "is": row["is_accelerator"],
            },
        )
    for row in real.rows(f"{FOLDER}/companies.csv.gz"):
        source.sql(
            "insert into businesses (id, name, status, categories, joined_year)"
            " values (%(id)s, %(n)s, %(s)s, %(c)s, %(y)s)",
            id=int(row["company_id"][1:]), n=row["company"], s=row["status"], c=row["categories"],
            y=int(row["yc_year"]),
        )  # fmt: skip
    for row in real.rows(f"{FOLDER}/investments.csv.gz"):
        source.sql(
            "insert into deals (investor_id, business_id) values (%(i)s, %(b)s)",
            i=int(row["investor_id"][1:]), b=int(row["company_id"][1:]),
        )  # fmt: skip
