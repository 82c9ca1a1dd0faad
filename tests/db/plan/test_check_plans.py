"""Rows that name something that does not exist are rejected by migrate, with the name."""

from __future__ import annotations

from typing import LiteralString

import pytest

from tests.db.toy import Toy


def test_right_rows_change_nothing_the_second_time(toy: Toy):
    toy.add(2)

    with toy.unchanged():
        toy.call("check_plans")


def test_a_new_provider_gets_a_breaker_and_three_queues(toy: Toy):
    toy.sql("insert into headgate.providers (name) values ('fresh')")
    toy.call("check_plans")

    queues = toy.sql("select queue_name from pgmq.meta where starts_with(queue_name, 'fresh_')")
    assert sorted(x["queue_name"] for x in queues) == ["fresh_high", "fresh_low", "fresh_normal"]
    assert toy.breaker("fresh")["failures"] == 0


def test_a_new_operation_gets_a_state_for_every_asset_there_is(toy: Toy):
    (asset,) = toy.add(1)
    toy.sql(
        "insert into headgate.operations (name, universe, provider_id, due_rule)"
        " select 'dust', 'things', provider_id, 'once' from headgate.providers where name = 'local'"
    )
    toy.call("check_plans")

    assert toy.state(asset, "dust")["next_due_at"] == toy.now


def test_details_have_a_partition_for_this_month_and_the_next_three(toy: Toy):
    toy.call("check_plans")

    found = toy.sql(
        "select inhrelid::regclass::text as name from pg_inherits"
        " where inhparent = 'headgate.asset_processing_details'::regclass"
    )
    names = {x["name"].rpartition("_")[2] for x in found}
    assert {"202403", "202404", "202405", "202406", "default"} <= names


FAULTS: list[tuple[str, LiteralString, str]] = [
    (
        "pipeline plain, step a: unknown operation 'lok'",
        "update headgate.pipeline_steps set operations = '{look,lok}' where step = 'a'",
        "HG020",
    ),
    (
        "pipeline plain, step a: depends on unknown step 'quta'",
        "update headgate.pipeline_steps set depends_on = '{quta}' where step = 'a'",
        "HG020",
    ),
    (
        "pipeline plain, step a: depends on unknown step 'b'",
        "update headgate.pipeline_steps set depends_on = '{b}' where step = 'a'",
        "HG020",
    ),
    (
        "pipeline plain, step quota: no function headgate.chek_quota",
        "update headgate.pipeline_steps s set function = 'headgate.chek_quota' from headgate.pipelines p"
        " where s.pipeline_id = p.pipeline_id and p.name = 'plain' and s.step = 'quota'",
        "HG020",
    ),
    (
        "pipeline plain, step quota: no function headgate.clock",
        "update headgate.pipeline_steps s set function = 'headgate.clock' from headgate.pipelines p"
        " where s.pipeline_id = p.pipeline_id and p.name = 'plain' and s.step = 'quota'",
        "HG020",
    ),
    (
        "pipeline library, parameter max_new: unknown operation 'opn'",
        "update headgate.pipeline_parameters set operations = '{opn}' where name = 'max_new'",
        "HG020",
    ),
    (
        "operation look has a path, but its provider has no base URL",
        "update headgate.providers set base_url = null where name = 'shop';"
        "update headgate.operations set provider_id ="
        " (select provider_id from headgate.providers where name = 'local')"
        " where name in ('open', 'history', 'update')",
        "HG020",
    ),
    (
        "operation sum costs units but makes no call",
        "update headgate.operations set units = 1 where name = 'sum'",
        "HG020",
    ),
    (
        "operation look: no function toy.nothing",
        "update headgate.operations set ingest_function = 'toy.nothing' where name = 'look'",
        "HG018",
    ),
    (
        "operation look: no function nothing",
        "update headgate.operations set ingest_function = 'nothing' where name = 'look'",
        "HG018",
    ),
    (
        "operation look: no function toy.keep",
        "alter function toy.keep(jsonb, bigint[], text[]) security invoker",
        "HG018",
    ),
    (
        "operation look: no function toy.keep",
        "alter function toy.keep(jsonb, bigint[], text[]) reset search_path",
        "HG018",
    ),
    (
        "operation look: no function toy.weekly",
        "update headgate.operations set ingest_function = 'toy.weekly' where name = 'look'",
        "HG018",
    ),
    (
        "operation look: no function toy.one",
        "create function toy.one(jsonb, bigint[], text[]) returns headgate.ingest_result"
        " language sql security definer set search_path = pg_catalog as"
        " 'select 1::bigint, ''x'', 1, null::timestamptz, ''x''';"
        "update headgate.operations set ingest_function = 'toy.one' where name = 'look'",
        "HG018",
    ),
    (
        "operation weigh: no function toy.keep",
        "update headgate.operations set due_function = 'toy.keep' where name = 'weigh'",
        "HG018",
    ),
    (
        "operation look: its template names the missing field {asset.isin}",
        "update headgate.operations set path = '/x/{asset.isin}' where name = 'look'",
        "HG017",
    ),
    (
        "operation look: its template names the missing field {state.mood}",
        """update headgate.operations set query = '{"m": "{state.mood?}"}' where name = 'look'""",
        "HG017",
    ),
    (
        "operation look: its template names the missing field {param.tempo}",
        """update headgate.operations set query = '{"m": "{param.tempo}"}' where name = 'look'""",
        "HG017",
    ),
    (
        "operation look: its template names the missing field {secret.token}",
        """update headgate.operations set body = '["{secret.token}"]' where name = 'look'""",
        "HG017",
    ),
    (
        "operation look: its template names the missing field {code}",
        "update headgate.operations set path = '/x/{code}' where name = 'look'",
        "HG017",
    ),
    (
        "operation look: its template names the missing field {run.mood}",
        """update headgate.operations set headers = '{"X-Run": "{run.mood}"}' where name = 'look'""",
        "HG017",
    ),
    (
        "its template names the missing field {job.name}",
        """update headgate.providers set headers = '{"X-Job": "{job.name}"}' where name = 'shop'""",
        "HG017",
    ),
    (
        "operation look: its template names the missing field {run.key}",
        """update headgate.operations set body = '{"x": ["{run.key?}"]}' where name = 'look'""",
        "HG017",
    ),
    (
        "operation look: its template names the missing field {Asset.Code}",
        "update headgate.operations set path = '/x/{Asset.Code}' where name = 'look'",
        "HG017",
    ),
]


@pytest.mark.parametrize(("words", "statement", "code"), FAULTS, ids=[x[0] for x in FAULTS])
def test_a_wrong_row_is_refused_by_name(toy: Toy, words: str, statement: LiteralString, code: str):
    toy.add(1)
    toy.sql(statement)

    with toy.refused(code, words):
        toy.call("check_plans")


def test_an_attribute_that_some_asset_has_is_a_field(toy: Toy):
    toy.add(2)
    toy.add(1, first=2, attributes={"isin": "X"})
    toy.tune(path="/x/{asset.isin}")

    toy.call("check_plans")


def test_braces_that_name_no_field_are_text(toy: Toy):
    toy.tune(query={"filter": '{"a": 1}', "m": "{}"})

    toy.call("check_plans")


def test_fields_of_run_and_job_are_known_in_every_template(toy: Toy):
    toy.tune(
        path="/{run.id}/{asset.code}",
        query={"d": "{run.date}", "at": "{run.logical_date}"},
        headers={"Idempotency-Key": "{job.key}", "X-Run": "{run.pipeline} {run.started_at}"},
        body={"key": "{job.key}"},
    )

    toy.call("check_plans")


def test_an_operation_that_moves_to_another_universe_needs_nothing_of_the_one_before(toy: Toy):
    toy.add(3)
    others = toy.add(2, "A", "others")
    toy.begin()
    (chunk,) = toy.claim()  # jobs under way end first
    toy.tune(universe="others")
    toy.call("check_plans")

    needs = (
        "select count(*) from headgate.asset_processing_state as s join headgate.operations as o"
    )
    needs += " using (operation_id) where o.name = 'look'"
    assert toy.scalar(needs) == 5
    toy.complete(chunk, "failed")
    toy.finish()
    toy.begin(run="r2")
    assert [x["asset_ids"] for x in toy.chunks()] == [others]
    toy.call("check_plans")
    assert toy.scalar(needs) == 2
    assert len(toy.details()) == 3  # what was done stays recorded
