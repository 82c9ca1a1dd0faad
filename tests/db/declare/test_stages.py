"""The staging table of an operation is created and dropped with its declaration."""

from __future__ import annotations

import pytest

from tests.db.declare.conftest import PIPELINE, STEP, Shelf
from tests.db.maintenance.test_examine import wrong
from tests.db.toy import Toy

PROVIDER = "put_provider('shelf', kind => 'postgres', secret_name => 'SHELF_DSN')"
OPERATION = (
    "put_operation('dust', 'tomes', due => 'every 1 day', provider => 'shelf',"
    " statement => 'select 1 as n', ingest_function => 'toy.keep'{more})"
)
STAGED = OPERATION.format(more=", stage => 'toy.grains'")
FOUND = "select to_regclass('headgate_stage.dust')::text"


@pytest.fixture
def shelf(toy: Toy) -> Shelf:
    """Declare an operation with a stage."""
    shelf = Shelf(toy)
    toy.sql("create table toy.grains (n integer, asset_id bigint)")
    shelf.put(PROVIDER, STAGED, PIPELINE, STEP)
    assert toy.scalar(FOUND) == "headgate_stage.dust"
    return shelf


def test_the_doctor_finds_nothing_about_what_was_declared(shelf: Shelf):
    shelf.toy.sql("select headgate.note_schema()")

    assert "stage of dust" not in wrong(shelf.toy)


def test_without_its_stage_an_operation_has_no_table(shelf: Shelf):
    shelf.put(PROVIDER, OPERATION.format(more=""), PIPELINE, STEP)
    assert shelf.toy.scalar(FOUND) is None


def test_a_retired_operation_has_no_table(shelf: Shelf):
    shelf.put(PROVIDER, STAGED.replace("'dust'", "'dust_again'"), PIPELINE, STEP.replace("dust", "dust_again"))  # fmt: skip
    assert shelf.toy.scalar(FOUND) is None


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("drop table headgate_stage.dust", "it is missing"),
        ("alter table headgate_stage.dust drop column n", "it has other columns than toy.grains"),
        ("alter table toy.grains add m text", "it has other columns than toy.grains"),
        ("insert into headgate_stage.dust values (1, 1, 1)", "it has rows of leases that have ended"),
    ],
)  # fmt: skip
def test_the_doctor_finds_and_repairs_a_stage(shelf: Shelf, change: str, found: str):
    shelf.toy.sql(change)
    shelf.toy.sql("select headgate.note_schema()")
    assert wrong(shelf.toy)["stage of dust"]["found"] == found
    done = {x["subject"]: x["done"] for x in shelf.toy.call("repair")}
    assert done["stages"] == "1 stages made again or emptied"
    assert "stage of dust" not in wrong(shelf.toy)
    assert shelf.toy.scalar(FOUND) == "headgate_stage.dust"
    assert shelf.toy.scalar("select count(*) from headgate_stage.dust") == 0
