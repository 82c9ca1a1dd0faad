"""`make airflow` without a token: Airflow and runners on the stand-in, as `make run` does it."""

from __future__ import annotations

import os
import sys

from psycopg.types.json import Jsonb

from headgate.cli import command_line
from headgate.cli.commands import console
from headgate.cli.commands.airflow import Port, start
from headgate.cli.commands.migrate import migrate
from headgate.database import dsn_of
from headgate.demo.eodhd import Options, spawn
from headgate.demo.pipeline import DATABASE, QUOTA, RATE, SET_PROVIDER, alone
from headgate.settings import Settings


def airflow(port: Port = 8080) -> None:
    """Migrate, start the stand-in, and run Airflow on it until told to stop."""
    migrate()
    settings = Settings.from_env()
    with alone(settings):
        ledger = settings.home / "standin.json"
        with spawn(Options(quota=QUOTA, rate=RATE, dsn=dsn_of(settings), ledger=ledger)) as standin:
            os.environ["EODHD_API_TOKEN"] = standin.token
            changes = {
                "base_url": standin.api,
                "quota": QUOTA,
                "buffer": 0,
                "requests_per_minute": RATE,
            }
            with console.open_database(settings, "demo", role=None) as connection:
                connection.execute(SET_PROVIDER, {"changes": Jsonb(changes)})
            console.say(f"a stand-in plays the provider at {standin.api} ({QUOTA:,} units a day)")
            start(port=port)


if __name__ == "__main__":
    os.environ["HEADGATE_DATABASE"] = DATABASE
    sys.argv.insert(1, "airflow-demo")
    command_line.app.command("airflow-demo")(airflow)
    command_line.main()
