"""Real bars, corrections, splits and dividends over HTTP, evening after evening: the latest values remain."""

from __future__ import annotations

import gzip
import json
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain, pairwise
from pathlib import Path

import pytest

from headgate.demo.eodhd import Options, spawn
from headgate.demo.eodhd.replay import ACTIONS, BARS
from tests.acceptance.ledger import check_ledger, check_settled
from tests.acceptance.real import FOLDER, needs, rows
from tests.acceptance.system import System, killed_at_the_end
from tests.acceptance.test_real_corrections import Provider, check_prices, check_revisions
from tests.attacks.form import either
from tests.plan import Row

pytestmark = needs(BARS, ACTIONS)

START = "2015-03-20"
FIRST, LAST = either(("2015-06-23", "2015-06-26"), ("2015-06-15", "2015-07-01"))
SYMBOLS = (
    "FREE",
    "IDXX",
    "INFY",
    "PRSN",
    "TRS",
    "TVIX",
    "ZGNX",
)  # these split in the weeks of the test
FOLLOWED = 315
EVENING = 23
STALE = """
select count(*) from headgate.v_assets_needing_processing
where operation = 'prices_historical' and group_key = 'US' and asset ~ '^[A-Z]+[.]US$'
"""

STORED = "select p.*, date::text as date from equities.prices as p"
APART = "select asset_id, date::text as date from equities.prices_quarantine"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the files, but of what comes after the test's weeks only each symbol's last bar: six of seven go."""
    to = tmp_path_factory.mktemp("real")
    for name in (BARS, ACTIONS):
        (to / name).parent.mkdir()
    shutil.copyfile(FOLDER / ACTIONS, to / ACTIONS)
    with gzip.open(FOLDER / BARS, "rt") as file, gzip.open(to / BARS, "wt", 1) as kept:
        kept.write(next(file))
        lines = ([line, *line.split(",", 2)] for line in chain(file, [",,"]))
        for (line, symbol, date, _), (_, following, *_) in pairwise(lines):
            if date <= LAST or following != symbol:
                kept.write(line)
    return to


@pytest.fixture
def system(small_database, tmp_path, folder) -> Iterator[System]:
    options = Options(replay=folder, quota=None, rate=None)
    with (
        spawn(options) as standin,
        killed_at_the_end(
            System(small_database, standin, tmp_path, at(FIRST, EVENING - 1))
        ) as system,
    ):
        system.set_provider(base_url=standin.api, requests_per_minute=None)
        yield system


def test_the_latest_values_remain_and_each_correction_and_split_is_recorded(system, folder):
    provider = read(system, folder)
    sessions = [x for x in provider.sessions if FIRST <= x <= LAST]
    for day in sessions:
        evening(system, day)

    check_prices(system.plan, provider, sessions[-1], START)
    check_revisions(system.plan, provider, sessions, more_than=3)
    check_splits(system, provider, sessions)
    check_ledger(system)


def test_bars_of_bulk_calls_are_corrected_after_at_most_two_evenings(system, folder):
    provider = read(system, folder, some(folder, FOLLOWED))
    sessions = [x for x in provider.sessions if FIRST <= x <= LAST]
    units = []
    for day in sessions:
        system.standin.reset()
        evening(system, day)
        units.append(system.standin.ledger()["served_units"])
    by_endpoint = system.standin.ledger()["by_endpoint"]

    assert by_endpoint["eod-bulk-last-day"]["units"] == 500, (
        "bars, splits, dividends, two sessions again"
    )
    assert stale(system, provider, sessions[-1]) == []
    assert late(system, provider, sessions, 2) == set()
    check_revisions(system.plan, provider, sessions, more_than=either(15, 50))
    assert max(units[1:]) < 5 * 100 + FOLLOWED / 4, "few are asked for alone"


def some(folder: Path, count: int) -> list[str]:
    """Return the first symbols with bars in all of these weeks."""
    first: dict[str, str] = {}
    last: dict[str, str] = {}
    for row in rows(BARS, folder):
        first.setdefault(row["symbol"], row["date"])
        last[row["symbol"]] = row["date"]
    return [x for x in sorted(first) if first[x] < FIRST and last[x] > LAST][:count]


def stale(system: System, provider: Provider, day: str) -> list[tuple[str, str]]:
    """Return the bars of sessions that differ from the provider's as of a day: missing, or with other figures."""
    stored = {(x["asset_id"], x["date"]): x for x in system.plan.sql(STORED)}
    apart = {(x["asset_id"], x["date"]) for x in system.plan.sql(APART)}
    found = []
    for symbol, asset in provider.ids.items():
        for bar in provider.answer(symbol, day):
            key = (asset, bar["date"])
            if (
                key not in apart
                and bar["date"] in provider.sessions
                and is_other(stored.get(key), bar)
            ):
                found.append((symbol, bar["date"]))
    return found


def is_other(stored: Row | None, bar: Row) -> bool:
    """Return whether a stored bar differs from an answer's."""
    return (
        stored is None
        or any(stored[x] != bar[x] for x in ("open", "high", "low", "close", "volume"))
        or abs(stored["adjusted_close"] / bar["adjusted_close"] - 1) > 1e-6
    )


def late(
    system: System, provider: Provider, sessions: list[str], evenings: int
) -> set[tuple[str, str]]:
    """Return the corrections within five sessions that were stored more evenings later than that."""
    revised = system.plan.sql(
        "select asset_id, date::text, min(known_to at time zone 'UTC')::date::text as day "
        "from equities.bar_revisions group by 1, 2"
    )
    written = {(x["asset_id"], x["date"]): x["day"] for x in revised}
    found = set()
    for symbol, asset in provider.ids.items():
        for row in provider.bars[symbol]:
            if row["date"] in sessions and row["seen_again"] in sessions[:-evenings]:
                published = sessions.index(row["seen_again"])
                is_correction = (row["close_2"] or row["volume_2"]) and int(row["volume"]) > 0
                day = written.get((asset, row["date"]))
                if (
                    is_correction
                    and published - sessions.index(row["date"]) < 5
                    and not (day and day <= sessions[published + evenings])
                ):
                    found.add((symbol, row["date"]))
    return found


def read(system: System, folder: Path, symbols: Iterable[str] = SYMBOLS) -> Provider:
    """Follow only these symbols, due on the first evening."""
    bars: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows(BARS, folder):
        if row["symbol"] in symbols and row["date"] <= LAST:
            bars[row["symbol"]].append(row)
    actions: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows(ACTIONS, folder):
        if row["symbol"] in symbols:
            actions[row["symbol"]].append(row)
    plan = system.plan
    plan.sql("update headgate.assets set is_active = false where universe = 'equities'")
    listed = [{"code": f"{x}.US", "group_key": "US", "calendar": "XNYS"} for x in sorted(bars)]
    plan.call("upsert_assets", p_universe="equities", p_assets=json.dumps(listed))
    plan.sql(
        "select x.* from headgate.assets as a "
        "cross join lateral headgate.set_asset_active(a.asset_id, true) as x "
        "cross join lateral headgate.reset_asset(a.asset_id, array['prices_historical']) as r "
        "where a.universe = 'equities' and a.code = any (%(codes)s)",
        codes=[x["code"] for x in listed],
    )
    ids = {
        x: plan.value("find_asset", p_universe="equities", p_code=f"{x}.US") for x in sorted(bars)
    }
    sessions = plan.sql(
        "select session::text as day from headgate.trading_sessions "
        "where calendar = 'XNYS' and session between %(a)s and %(b)s order by 1",
        a=START,
        b=LAST,
    )
    assert len(ids) == len([*symbols])
    return Provider(bars, actions, [x["day"] for x in sessions], ids)


def at(day: str, hour: int) -> datetime:
    """Return an hour of a day as a time."""
    return datetime.fromisoformat(f"{day}T{hour}:00").replace(tzinfo=UTC)


def evening(system: System, day: str) -> None:
    """Run the pipeline on an evening, and again for histories that the run found to be restated."""
    system.set_clock(at(day, EVENING))
    while True:
        code, said = system.run("exchanges=US")
        assert code == 0, said
        check_settled(system)
        if not system.plan.scalar(STALE):
            return


def check_splits(system: System, provider: Provider, days: list[str]) -> None:
    """Check that each split or dividend has reloaded its history once, on its evening, and that nothing else has."""
    reloads = system.plan.sql(
        "select asset_id, (reloaded_at at time zone 'UTC')::date as day from equities.history_reloads"
    )
    assert len({tuple(x.values()) for x in reloads}) == len(reloads), "twice on one day"
    for symbol, asset in provider.ids.items():
        mine = [x["day"] for x in reloads if x["asset_id"] == asset]
        causes = [
            datetime.fromisoformat(x["first_seen"]).date()
            for x in provider.actions[symbol]
            if days[0] < max(x["ex_date"], x["first_seen"]) <= days[-1]
        ]
        assert len(mine) == len(set(causes)), (symbol, mine, causes)
        for cause in causes:
            assert cause in mine, (symbol, mine, causes)
    unapplied = "select count(*) from equities.corporate_actions where applied_at is null"
    assert system.plan.scalar(unapplied) == 0
