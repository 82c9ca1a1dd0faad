"""put_operation: an address per asset, steps of one call, and exact waits."""

from __future__ import annotations

from typing import Any

from tests.db.declare.conftest import Shelf
from tests.db.toy import Toy

OPEN = "put_provider('homes', '{asset.base_url}')"
SECRET = (
    "put_provider('homes', '{asset.base_url}', auth => '{\"in\": \"bearer\"}',"
    " secret_name => 'HOME_TOKEN'"
)
ASK = (
    "put_operation('ask', 'homes', due => 'run', provider => 'homes', request => 'GET /ask?x=1',"
    " ingest_function => 'toy.keep')"
)
REST = ("put_pipeline('round')", "put_step('round', 'all', operations => '{ask}')")


def home(toy: Toy, **attributes: Any) -> int:
    """Add one asset with these attributes."""
    code = f"h{toy.scalar('select count(*) from headgate.assets')}"
    document = [{"code": code, "group_key": "homes", "attributes": attributes}]
    toy.upsert(document, "homes")
    row = toy.sql("select asset_id from headgate.assets where code = %(code)s", code=code)[0]
    return int(row["asset_id"])


def request(toy: Toy, asset_id: int) -> dict[str, Any]:
    """Return the request that would be sent."""
    return toy.row("preview_request", p_operation="ask", p_asset_id=asset_id)


def test_each_asset_has_its_own_address(shelf: Shelf, toy: Toy):
    homes = [home(toy, base_url=x) for x in ("http://one:8011", "https://two.test/api/")]
    shelf.put(OPEN, ASK, *REST)
    toy.call("check_plans")

    assert [request(toy, x)["url"] for x in homes] == [
        "http://one:8011/ask?x=1",
        "https://two.test/api/ask?x=1",
    ]


def test_a_claim_hands_the_whole_urls_out_in_order(shelf: Shelf, toy: Toy):
    for port in (1, 2, 3):
        home(toy, base_url=f"http://one:{port}")
    shelf.put(OPEN, ASK, *REST)
    toy.call("check_plans")
    toy.start("r1", "round", p_driver="headgate")
    (chunk,) = toy.claim()

    assert chunk["urls"] == [f"http://one:{x}/ask?x=1" for x in (1, 2, 3)]
    assert chunk["call"]["base_url"] == "{asset.base_url}"
    toy.complete(chunk)


def test_an_asset_without_an_address_is_refused(shelf: Shelf, toy: Toy):
    home(toy, base_url="http://one")
    bare = home(toy)
    shelf.put(OPEN, ASK, *REST)

    row = request(toy, bare)
    assert (row["url"], row["request_error"]) == (
        None,
        "the template field {asset.base_url} has no value for " + row["asset"],
    )


def test_an_invalid_address_is_refused(shelf: Shelf, toy: Toy):
    shelf.put(OPEN, ASK, *REST)
    for text in ("file:///etc/passwd", "one:8011", "http://one/x?y=1", "http://a@one", "http://"):
        row = request(toy, home(toy, base_url=text))
        assert "is not an address" in row["request_error"], text


def test_an_asset_whose_universe_names_no_address_is_a_mistake(shelf: Shelf, toy: Toy):
    home(toy, other="x")

    assert "missing field {asset.base_url}" in shelf.mistakes(OPEN, ASK, *REST)


def test_a_secret_needs_hosts(shelf: Shelf):
    said = shelf.mistakes(SECRET + ")", ASK, *REST)

    assert "an address per asset has no secret or its hosts" in said


def test_a_secret_goes_to_the_hosts_alone(shelf: Shelf, toy: Toy):
    shelf.put(SECRET + ", hosts => '{one:8011}')", ASK, *REST)
    good, bad = home(toy, base_url="http://ONE:8011"), home(toy, base_url="http://evil.test")

    assert request(toy, good)["url"] == "http://ONE:8011/ask?x=1"
    assert request(toy, good)["call"]["hosts"] == ["one:8011"]
    row = request(toy, bad)
    assert row["url"] is None
    assert "leads to evil.test, and provider homes allows only one:8011" in row["request_error"]


def test_hosts_are_for_addresses_of_assets(shelf: Shelf):
    said = shelf.mistakes("put_provider('homes', 'http://one', hosts => '{one}')")

    assert "hosts are of an address per asset" in said


def test_a_step_of_one_call_declares_its_operation(shelf: Shelf, toy: Toy):
    shelf.put(
        "put_provider('bell', 'http://bell.test')",
        "put_pipeline('morning')",
        "put_step('morning', 'ring', request => 'POST /ring?who={run.id}', provider => 'bell')",
    )
    toy.call("check_plans")
    row = shelf.row("operations", "morning_ring")
    assert (row["due_rule"], row["universe"]) == ("run", "_morning_ring")
    toy.start("r1", "morning", p_driver="headgate")
    (chunk,) = toy.claim()

    assert chunk["urls"] == ["/ring?who=r1"]
    toy.complete(chunk)
    toy.advance()
    assert toy.execution("r1", "morning")["status"] == "succeeded"


def test_the_operation_goes_with_its_step(shelf: Shelf, toy: Toy):
    bell, morning = "put_provider('bell', 'http://bell.test')", "put_pipeline('morning')"
    step = "put_step('morning', 'ring', request => 'POST /ring', provider => 'bell')"
    shelf.put(bell, morning, step)
    assert shelf.put(bell, morning, step) == ["unchanged"] * 4
    shelf.put(bell, morning)

    assert shelf.row("operations", "morning_ring") == {}
    assert toy.sql("select from headgate.assets where universe = '_morning_ring'") == []


def test_a_step_is_one_call_or_something_else(shelf: Shelf):
    bell, morning = "put_provider('bell', 'http://bell.test')", "put_pipeline('morning')"
    for rest in (
        "request => 'GET /x'",
        "provider => 'bell'",
        "request => 'GET /x', provider => 'bell', operations => '{look}'",
    ):
        said = shelf.mistakes(bell, morning, f"put_step('morning', 'ring', {rest})")
        assert "a step of one call has a request and a provider" in said


def test_waits_without_jitter_are_exact(shelf: Shelf, toy: Toy):
    home(toy, base_url="http://one")
    exact = ASK.replace("due", "jitter => 0, backoff => '1 s', backoff_max => '1 s', due")
    shelf.put(OPEN, exact, *REST)
    toy.call("check_plans")
    toy.start("r1", "round", p_driver="headgate")
    for _ in range(2):
        (chunk,) = toy.claim()
        toy.complete(chunk, "retry")
        (parked,) = toy.chunks("parked")
        assert (parked["wake_at"] - toy.now).total_seconds() == 1
        toy.later(seconds=1)
    assert toy.drain() == 1


def test_jitter_is_a_share(shelf: Shelf):
    said = shelf.mistakes(OPEN, ASK.replace("due", "jitter => 1.5, due"), *REST)

    assert "jitter is a share" in said
