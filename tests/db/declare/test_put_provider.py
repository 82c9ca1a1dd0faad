"""put_provider: three-way merge of the file's old and new values and the operators' changes."""

from __future__ import annotations

from tests.db.declare.conftest import PROVIDER, Shelf
from tests.db.toy import Toy

FASTER = PROVIDER.replace("quota => 100", "quota => 100, requests_per_minute => 60")


def test_a_provider_is_created_with_the_table_s_defaults(shelf: Shelf):
    assert shelf.put(PROVIDER)[0] == "created"
    assert shelf.row("providers", "shelf") | {"provider_id": 0} == {
        **shelf.row("providers", "side"),
        "provider_id": 0,
        "name": "shelf",
        "base_url": "http://shelf.test",
        "quota": 100,
    }


def test_a_value_changed_in_the_file_is_written(shelf: Shelf):
    shelf.put(PROVIDER)

    assert shelf.put(FASTER)[0] == "changed: requests_per_minute"
    assert shelf.row("providers", "shelf")["requests_per_minute"] == 60


def test_a_value_unchanged_in_the_file_stays_as_an_operator_has_set_it(shelf: Shelf, toy: Toy):
    shelf.put(PROVIDER)
    toy.provider("shelf", quota=7, max_in_flight=3)

    assert shelf.put(FASTER)[0] == "changed: requests_per_minute"
    provider = shelf.row("providers", "shelf")
    assert (provider["quota"], provider["max_in_flight"]) == (7, 3)


def test_a_value_changed_in_the_file_wins_over_an_operator_s(shelf: Shelf, toy: Toy):
    shelf.put(PROVIDER)
    toy.provider("shelf", quota=7)

    assert shelf.put(PROVIDER.replace("100", "200"))[0] == "changed: quota"
    assert shelf.row("providers", "shelf")["quota"] == 200


def test_a_value_no_longer_declared_goes_back_to_its_default(shelf: Shelf):
    shelf.put(PROVIDER.replace("quota => 100", "quota => 100, max_in_flight => 4"))

    assert shelf.put(PROVIDER)[0] == "changed: max_in_flight"
    assert shelf.row("providers", "shelf")["max_in_flight"] == 50


def test_a_row_that_no_file_has_declared_is_adopted_and_keeps_what_operators_set(
    shelf: Shelf, toy: Toy
):
    toy.sql(
        "insert into headgate.providers (name, base_url, quota, description)"
        " values ('shelf', 'http://elsewhere.test', 5, 'old')"
    )

    assert shelf.put(PROVIDER)[0] == "changed: description"
    provider = shelf.row("providers", "shelf")
    assert (provider["base_url"], provider["quota"]) == ("http://elsewhere.test", 5)
    assert shelf.put(PROVIDER.replace("100", "200"))[0] == "changed: quota"


def test_a_new_quota_holds_in_the_open_window(shelf: Shelf, toy: Toy):
    shelf.put(PROVIDER)
    toy.sql(
        "insert into headgate.quota_windows (provider_id, opened_at, closes_at, usable)"
        " select p.provider_id, b.opened_at, b.closes_at, 100 from headgate.providers as p,"
        " headgate._window_at(p, headgate.clock()) as b where p.name = 'shelf'"
    )
    shelf.put(PROVIDER.replace("100", "40"))

    assert toy.scalar("select usable from headgate.v_quota where provider = 'shelf'") == 40


def test_lags_by_calendar_are_merged_too(shelf: Shelf, toy: Toy):
    lags = "select calendar, lag::text from headgate.publication_lags join headgate.providers using (provider_id) where name = 'shelf'"
    with_lags = PROVIDER.replace("100", '100, publication_lags => \'{{"XNYS": "{}"}}\'')
    shelf.put(with_lags.format("15 minutes"))

    assert shelf.put(with_lags.format("00:15:00"))[0] == "unchanged"
    assert shelf.put(with_lags.format("1 hour"))[0] == "changed: publication_lags"
    assert toy.sql(lags) == [{"calendar": "XNYS", "lag": "01:00:00"}]
    assert "publication_lags: invalid input syntax" in shelf.mistakes(with_lags.format("soon"))
    shelf.put(PROVIDER)
    assert toy.sql(lags) == []


def test_every_broken_rule_is_named(shelf: Shelf):
    said = shelf.mistakes(
        "put_provider('shelf', 'shelf.test', quota => -1, quota_period => 'week')",
        "put_provider('Shelf')",
    )

    for rule in ("base url is http", "quota is not negative", "quota period is known", "name fits"):
        assert f"breaks the rule: {rule}" in said


def test_a_provider_is_declared_once(shelf: Shelf):
    assert "provider shelf: declared twice" in shelf.mistakes(PROVIDER, PROVIDER)
