"""The toy world with the stand-in's listings as its things, for runners in processes of their own."""

from __future__ import annotations

from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from headgate.database import connect
from headgate.demo.eodhd.market import listings
from headgate.migrate.setup import prepare_roles
from headgate.settings import Settings
from tests.acceptance.system import System
from tests.db.conftest import TOY

EMPTY = "truncate headgate.assets, headgate.trading_sessions cascade"
SHOP = """
update headgate.providers
set base_url = %(api)s, quota = 10000000, quota_buffer = 0, secret_name = 'EODHD_API_TOKEN', max_in_flight = 60,
    breaker_cooldown = '500 ms', auth = '{"in": "query", "name": "api_token"}'
where name = 'shop'
"""
LOOK = """
update headgate.operations
set path = '/eod/{asset.code}', query = jsonb_build_object('fmt', 'json', 'from', %(first_day)s::text),
    lease = '2 seconds', backoff = '100 ms', backoff_max = '2 seconds', timeout = '1 minute', max_wait = '10 minutes',
    chunk_size = 20, due_every = '1 second', max_attempts = 4
where name = 'look'
"""


def lay_out(settings: Settings) -> None:
    """Put the toy world into a migrated database, without its own things."""
    with connect(settings, "test") as connection:
        connection.execute(TOY.read_text().encode())
        connection.execute(EMPTY)
        prepare_roles(connection, ["toy"])


def furnish(system: System, things: int, **look: Any) -> None:
    """Take things from the stand-in's listings, and let operation `look` ask it for each."""
    system.plan.sql(SHOP, api=system.standin.api)
    system.plan.sql(LOOK, first_day=system.first_day)
    for name, value in look.items():
        tune = sql.SQL("update headgate.operations set {} = %s where name = 'look'")
        system.plan.connection.execute(tune.format(sql.Identifier(name)), (value,))
    codes = sorted(x.code for x in listings().values() if x.group_key == "US")[:things]
    assets = [{"code": x, "group_key": "AB"[n % 2]} for n, x in enumerate(codes)]
    system.plan.call("upsert_assets", p_universe="things", p_assets=Jsonb(assets))
