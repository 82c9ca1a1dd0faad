"""What `headgate airflow demo` plays beside the provider of the equities."""

from __future__ import annotations

import os

import pytest

from headgate.cli.commands.demo import others_played
from headgate.database import connect, dsn_of
from headgate.settings import Settings
from tests.plan import Plan

ADDRESSES = """
select p.name, p.base_url as address
from headgate.providers as p
where p.name <> 'eodhd'
    and p.base_url is not null
union all
select a.code, a.attributes ->> 'base_url'
from headgate.assets as a
where a.attributes ? 'base_url'
"""
HERE = ("http://127.0.0.1:", "{asset.base_url}")


def test_no_call_of_a_shipped_plan_leaves_the_machine_while_the_others_are_played(
    small_database: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HEADGATE_DSN", dsn_of(small_database))
    monkeypatch.setenv("HEADGATE_DATABASE", small_database.database)

    with others_played(), connect(small_database, "test") as connection:
        plan = Plan(connection)
        addresses = plan.sql(ADDRESSES)
        channels = plan.sql("select name, host, secret_name from headgate.channels")
        hooks = {x["secret_name"]: os.environ.get(x["secret_name"] or "") for x in channels}

    assert len(addresses) > 10
    assert [x for x in addresses if not x["address"].startswith(HERE)] == []
    assert {x["host"] for x in channels} == {None, "127.0.0.1"}
    assert [x for x, hook in hooks.items() if x and not (hook or "").startswith(HERE)] == []
    assert [x for x in hooks if x and x in os.environ] == []
