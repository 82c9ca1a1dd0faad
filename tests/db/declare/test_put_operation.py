"""put_operation: due rules in words, requests in one line, and the effect of changes on due assets."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.db.declare.conftest import ALL, OPERATION, PIPELINE, PROVIDER, STEP, Shelf
from tests.db.toy import Toy

PLAIN = "put_operation('dust', 'tomes', due => {due}, ingest_function => 'toy.keep')"
CALLED = (
    "put_operation('dust', 'tomes', due => 'once', provider => 'shelf', request => '{request}',"
    " ingest_function => 'toy.keep')"
)


@pytest.mark.parametrize(
    ("due", "columns"),
    [
        ("once", {"due_rule": "once"}),
        ("session", {"due_rule": "session"}),
        ("  every   1 hour ", {"due_rule": "every", "due_every": "01:00:00"}),
        ("function toy.weekly", {"due_rule": "function", "due_function": "toy.weekly"}),
    ],
)
def test_due_is_said_in_words(shelf: Shelf, toy: Toy, due: str, columns: dict[str, str]):
    shelf.put(PLAIN.format(due=f"'{due}'"))
    row = shelf.row("operations", "dust")

    assert {
        x: str(row[x]) if x != "due_every" else str(row[x]).zfill(8) for x in columns
    } == columns


def test_after_names_its_inputs(shelf: Shelf, toy: Toy):
    inputs = (
        "select array_agg(i.name order by i.name) from headgate.operation_inputs as n"
        " join headgate.operations as i on i.operation_id = n.input_operation_id"
        " join headgate.operations as o on o.operation_id = n.operation_id where o.name = 'dust'"
    )
    shelf.put(PLAIN.format(due="'after look,peek'"))
    assert toy.scalar(inputs) == ["look", "peek"]
    assert shelf.put(PLAIN.format(due="'after peek, look'"))[0] == "unchanged"
    assert shelf.put(PLAIN.format(due="'after peek'"))[0] == "changed: inputs"
    assert toy.scalar(inputs) == ["peek"]
    assert shelf.put(PLAIN.format(due="'once'"))[0] == "changed: due_rule, inputs"
    assert toy.scalar(inputs) is None


@pytest.mark.parametrize(
    "due", ["", "sometimes", "every", "every now", "once more", "after", "function weekly"]
)
def test_another_due_is_a_mistake(shelf: Shelf, due: str):
    assert f"operation dust: due cannot be '{due}'" in shelf.mistakes(PLAIN.format(due=f"'{due}'"))


def test_no_due_is_a_mistake(shelf: Shelf):
    assert "due cannot be null" in shelf.mistakes(PLAIN.format(due="null"))


@pytest.mark.parametrize(
    ("request_line", "method", "path", "query"),
    [
        ("GET /posts/{asset.code}", "GET", "/posts/{asset.code}", {}),
        ("/posts", "GET", "/posts", {}),
        ("post /posts?a=b&c={run.date}", "POST", "/posts", {"a": "b", "c": "{run.date}"}),
        ("GET /p/{asset.code}?x={state.since?}&y=1=1", "GET", "/p/{asset.code}", {"x": "{state.since?}", "y": "1=1"}),
    ],
)  # fmt: skip
def test_a_request_is_one_line(
    shelf: Shelf, request_line: str, method: str, path: str, query: dict[str, str]
):
    shelf.put(PROVIDER, CALLED.format(request=request_line))
    row = shelf.row("operations", "dust")

    assert (row["method"], row["path"], row["query"]) == (method, path, query)


NAMELESS = "request has a query parameter without a name or a value"


@pytest.mark.parametrize(
    ("request_line", "mistake"),
    [
        ("posts", "malformed request: 'posts'"),
        ("GET posts", "malformed request: 'GET posts'"),
        ("GET http://x/y", "malformed request: 'GET http://x/y'"),
        ("GET /a b", "malformed request: 'GET /a b'"),
        ("GET /a?b", NAMELESS),
        ("GET /a?=b", NAMELESS),
        ("GET /a?b=1&b=2", "request names a query parameter twice"),
    ],
)
def test_another_request_is_a_mistake(shelf: Shelf, request_line: str, mistake: str):
    assert f"operation dust: {mistake}" in shelf.mistakes(
        PROVIDER, CALLED.format(request=request_line)
    )


def test_an_unknown_method_is_a_mistake(shelf: Shelf):
    said = shelf.mistakes(PROVIDER, CALLED.format(request="FETCH /a"))

    assert "operation dust breaks the rule: method is known" in said


def test_operations_that_it_names_are_declared_before_it(shelf: Shelf):
    bulk = (
        "put_operation('heap', 'tomes', due => 'every 1 day', provider => 'shelf', units => 5,"
        " request => 'GET /heap', bulk_call_of => 'dust', ingest_function => 'toy.keep')"
    )
    after = "put_operation('wax', 'tomes', due => 'once', follows => 'dust', ingest_function => 'toy.keep')"

    assert "operation heap: unknown operation 'dust'" in shelf.mistakes(PROVIDER, bulk, OPERATION)
    assert shelf.put(PROVIDER, OPERATION, bulk, after) == ["created"] * 4 + ["unchanged"]
    dust = shelf.row("operations", "dust")["operation_id"]
    assert shelf.row("operations", "heap")["bulk_call_of_operation_id"] == dust
    assert shelf.row("operations", "wax")["follows_operation_id"] == dust


def test_a_new_interval_holds_for_what_is_known_already(shelf: Shelf, toy: Toy):
    shelf.put(*ALL)
    toy.call("check_plans")
    asset, never = toy.add(2, universe="tomes")
    toy.sql(
        "update headgate.asset_processing_state set succeeded_at = headgate.clock(),"
        " next_due_at = headgate.clock() + interval '1 day' where asset_id = %(asset)s",
        asset=asset,
    )
    shelf.put(PROVIDER, OPERATION.replace("1 day", "1 hour"), PIPELINE, STEP)

    assert (toy.state(asset, "dust")["next_due_at"] - toy.now).total_seconds() == 3600
    assert toy.state(never, "dust")["next_due_at"] == toy.now


def test_words_of_the_file_stand_for_columns(shelf: Shelf):
    shelf.put(PROVIDER, OPERATION)
    patient = OPERATION.replace("units => 1", "units => 1, max_wait => '1 hour'")

    assert shelf.put(PROVIDER, patient)[1] == "changed: max_wait"
    assert str(shelf.row("operations", "dust")["max_wait"]) == "1:00:00"


def test_a_handler_is_handed_the_variables_that_it_may_see(shelf: Shelf):
    seeing = (
        "put_operation('dust', 'tomes', due => 'once', handler => 'shelf:dust',"
        " ingest_function => 'headgate.ingest_sessions',"
        " handler_environment => '{%s}')"
    )
    shelf.put(seeing % "OMP_NUM_THREADS")
    assert shelf.row("operations", "dust")["handler_environment"] == ["OMP_NUM_THREADS"]

    with shelf.refused() as said:
        shelf.put(seeing % "HEADGATE_DSN")
    assert "its handler may not see HEADGATE_DSN" in said[0]


def test_delivery_is_at_least_once_or_at_most_once(shelf: Shelf, toy: Toy):
    given = "put_operation('dust', 'tomes', due => 'once', ingest_function => 'toy.keep', delivery => '{}')"
    assert "breaks the rule: delivery is known" in shelf.mistakes(given.format("exactly_once"))
    shelf.put(given.format("at_most_once"))
    assert shelf.row("operations", "dust")["delivery"] == "at_most_once"


def test_a_parser_reads_the_answers_of_a_request(shelf: Shelf):
    asks = OPERATION.replace("units => 1", "units => 1, parser => 'csv'")
    computes = "put_operation('dust', 'tomes', due => 'once', parser => 'csv', ingest_function => 'toy.keep')"

    assert "breaks the rule: parser reads answers" in shelf.mistakes(computes)
    shelf.put(PROVIDER, asks)
    assert shelf.row("operations", "dust")["parser"] == "csv"


def test_answers_of_requests_for_one_asset_are_cached(shelf: Shelf, toy: Toy):
    asks = OPERATION.replace("units => 1", "units => 1, cache => '1 hour'")
    rule = "breaks the rule: cached are requests for one asset"

    assert rule in shelf.mistakes(PROVIDER, asks.replace("1 hour", "0"))
    once = asks.replace("cache", "delivery => 'at_most_once', cache")
    assert rule in shelf.mistakes(PROVIDER, once)
    computes = "put_operation('dust', 'tomes', due => 'once', cache => '1 hour', ingest_function => 'toy.keep')"
    assert rule in shelf.mistakes(computes)
    shelf.put(PROVIDER, asks)
    assert shelf.row("operations", "dust")["cache"] == timedelta(hours=1)
    assert shelf.put(PROVIDER, OPERATION)[1] == "changed: cache"


def paged(next_page: str, request: str = "GET /dust/{asset.code}?after={page.cursor?}") -> str:
    given = f"units => 1, max_pages => 9, next_page => '{next_page}'"
    return OPERATION.replace("units => 1", given).replace("GET /dust/{asset.code}", request)


@pytest.mark.parametrize("next_page", ["$.meta.next", "link page", "offset $.items[*]"])
def test_an_operation_may_have_pages(shelf: Shelf, next_page: str):
    shelf.put(PROVIDER, paged(next_page))
    row = shelf.row("operations", "dust")

    assert (row["next_page"], row["max_pages"]) == (next_page, 9)


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        (paged("meta.next"), "operation dust breaks the rule: next page is known"),
        (paged("$.meta["), "operation dust: next_page is not a JSON path: '$.meta['"),
        (paged("offset $.items["), "next_page is not a JSON path: '$.items['"),
        (
            paged("$.next", "GET /dust/{asset.code}"),
            "operation dust has pages, but its request is the same for each",
        ),
        (
            OPERATION.replace("{asset.code}", "{page.number}"),
            "operation dust: its template names the missing field {page.number}",
        ),
        (
            "put_operation('dust', 'tomes', due => 'once', next_page => '$.next',"
            " ingest_function => 'toy.keep')",
            "operation dust breaks the rule: pages are of requests",
        ),
    ],
)
def test_mistakes_about_pages_are_named(shelf: Shelf, operation: str, said: str):
    assert said in shelf.mistakes(PROVIDER, operation)
