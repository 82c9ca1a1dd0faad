"""`headgate request` and `headgate try`: try one job by hand before a run does it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from psycopg import Connection
from psycopg.rows import DictRow

from headgate.cli.commands import console
from headgate.cli.commands.options import AsJson, Params, parse_params
from headgate.cli.commands.show import find_asset
from headgate.database import PLANNER, mapped_errors
from headgate.errors import HeadgateError, InvalidValue
from headgate.settings import Settings

if TYPE_CHECKING:
    from headgate.cli import trial

WELL = ("success", "skipped")
UNIVERSE = "select o.universe from headgate.v_operations as o where o.operation = %s"
Operation = Annotated[str, typer.Argument(help="The operation's name.", show_default=False)]
Asset = Annotated[
    str,
    typer.Argument(
        metavar="ASSET", help="Its code, e.g. AAPL.US, or a bare symbol.", show_default=False
    ),
]
Universe = Annotated[
    str | None, typer.Option(help="By default the operation's own.", show_default=False)
]
AsPipeline = Annotated[
    str | None,
    typer.Option(
        "--pipeline",
        metavar="PIPELINE",
        help="As in a run of this one, where several run the operation.",
        show_default=False,
    ),
]


def request(
    operation: Operation,
    asset: Asset,
    universe: Universe = None,
    pipeline: AsPipeline = None,
    param: Params = None,
    as_json: AsJson = False,
) -> None:
    """Show the request of an operation for an asset as it would be sent, with the secret masked."""
    from headgate.cli import trial  # brings the HTTP client

    settings = console.ready_settings()
    with _opened(settings, "request") as connection, mapped_errors():
        subject = _subject(connection, operation, asset, universe, pipeline, param)
        found = trial.preview(connection, subject)
    if found is None:
        raise InvalidValue(
            f"operation {operation} makes no request",
            hint="its ingest function or handler does all the work; headgate try calls the former",
        )
    sent = found.masked
    if as_json:
        facts = ("pipeline", "step", "provider", "operation", "asset", "units")
        console.print_json({x: found.row[x] for x in facts} | sent)
        return
    _print_sent(sent)
    console.say(
        f"{console.counted(found.row['units'], 'unit')} of {found.row['provider']}; "
        f"as in a run of {found.row['pipeline']}, step {found.row['step']}; nothing was sent"
    )


def _print_sent(sent: dict[str, Any]) -> None:
    """Print a request, or a statement with its parameters."""
    if "statement" in sent:
        print(f"-- {sent['database']}\n{sent['statement']}")
        for place, value in enumerate(sent["parameters"], 1):
            print(f"-- ${place} = {'null' if value is None else repr(value)}")
        return
    print(f"{sent['method']} {sent['url']}")
    for name, value in sent["headers"].items():
        print(f"{name}: {value}")
    if sent["body"] is not None:
        print(f"\n{sent['body']}")


def try_(
    operation: Operation,
    asset: Asset,
    answer: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="An answer's body; - reads it from standard input."),
    ] = None,
    send: Annotated[
        bool, typer.Option("--send", help="Make the real call, which costs its units.")
    ] = False,
    status: Annotated[
        int, typer.Option(min=100, max=599, help="The answer's status, with --answer.")
    ] = 200,
    content_type: Annotated[
        str, typer.Option(metavar="TYPE", help="Its content type, with --answer.")
    ] = "application/json",
    universe: Universe = None,
    pipeline: AsPipeline = None,
    param: Params = None,
    as_json: AsJson = False,
) -> None:
    """Judge one answer and ingest it, then roll back: show the matching rule and the changes."""
    from headgate.cli import trial  # brings the HTTP client

    if answer is not None and send:
        raise typer.BadParameter("use one of them, not both", param_hint="--answer, --send")
    canned = None if answer is None else trial.Canned(status, content_type, _read(answer))
    settings = console.ready_settings()
    with _opened(settings, "try") as connection, mapped_errors():
        subject = _subject(connection, operation, asset, universe, pipeline, param)
        found = trial.preview(connection, subject)
        judged = None if found is None else _judged(connection, found, canned, send)
        result: DictRow | None = None
        if judged is None:
            result = trial.ingest(connection, subject, None)
        elif judged.reply.outcome.is_success and judged.reply.payload is not None:
            text = bytes(judged.reply.payload).decode()
            result = trial.ingest(connection, subject, text, judged.reply.answer)
    if as_json:
        console.print_json(_document(judged, result))
    else:
        _show(found.row["provider"] if found else "", judged, result)
    outcome = result["status"] if result else judged.reply.outcome.outcome if judged else ""
    if outcome not in WELL:
        raise typer.Exit(1)


def _opened(settings: Settings, what: str) -> Connection[DictRow]:
    return console.open_database(settings, what, role=PLANNER)


def _subject(
    connection: Connection[DictRow],
    operation: str,
    asset: str,
    universe: str | None,
    pipeline: str | None,
    param: list[str] | None,
) -> trial.Subject:
    from headgate.cli import trial  # brings the HTTP client

    known = connection.execute(UNIVERSE, (operation,)).fetchone()
    asset_id = 0  # the database rejects an unknown operation by its name
    if known is not None:
        asset_id = find_asset(connection, asset, universe or known["universe"])["asset_id"]
    return trial.Subject(operation, asset_id, pipeline, parse_params(param))


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as exc:
        raise HeadgateError(
            f"cannot read {name}: {exc.strerror}",
            hint="--answer names a file with an answer's body, for example one saved by curl",
        ) from exc


def _judged(
    connection: Connection[DictRow],
    found: trial.Request,
    canned: trial.Canned | None,
    send: bool,
) -> trial.Judged:
    from headgate.cli import trial  # brings the HTTP client

    if canned is None and not send:
        cost = console.counted(found.row["units"], "unit")
        raise typer.BadParameter(
            f"give an answer by --answer FILE, or --send: one call to {found.row['provider']}, "
            f"which costs {cost}",
            param_hint="--answer, --send",
        )
    if send:
        found.call.auth.secret()  # raises SecretMissing before anything is charged
        charged = trial.charge_call(connection, found.row["operation"])
        units = console.counted(charged["units"], "unit")
        left = "" if charged["remaining"] is None else f"; {charged['remaining']:,} are left"
        console.say(f"one call to {charged['provider']}: {units}, counted as used elsewhere{left}")
    return trial.judge(found, canned)


def _document(judged: trial.Judged | None, result: DictRow | None) -> dict[str, Any]:
    document: dict[str, Any] = {"answer": None, "rule": None, "outcome": None}
    if judged is not None:
        outcome = judged.reply.outcome
        document["outcome"] = {
            "outcome": outcome.outcome,
            "fault": judged.fault,
            "reason": outcome.reason,
            "blocks": outcome.block.until if outcome.block else None,
        }
        if judged.answer is not None:
            document["answer"] = {
                "status": judged.answer.status,
                "content_type": judged.answer.content_type,
                "bytes": judged.size,
            }
        if judged.rule is not None:
            document["rule"] = {"no": judged.rule_no, **_terms(judged.rule)}
    return document | {"ingest": result}


def _terms(rule: Any) -> dict[str, Any]:
    """Return a rule's conditions, as named in its declaration."""
    return {x: rule[x] for x in ("status", "content_type", "body") if rule.get(x) is not None}


def _show(provider: str, judged: trial.Judged | None, result: DictRow | None) -> None:
    if judged is not None:
        outcome = judged.reply.outcome
        if judged.answer is not None:
            size = "" if judged.size is None else f", {judged.size:,} bytes"
            print(f"answer   {judged.answer.status} {judged.answer.content_type}{size}")
            rule = "none fits" if judged.rule is None else _as_text(judged.rule)
            number = "" if judged.rule_no is None else f"{judged.rule_no} of {provider}: "
            print(f"rule     {number}{rule}")
        fault = f", fault {judged.fault}" if judged.fault else ""
        print(f"outcome  {outcome.outcome}{fault}: {outcome.reason}")
    if result is not None:
        reason = f": {result['reason']}" if result["reason"] else ""
        if result["verdict"] is not None:
            print(f"verdict  {result['verdict']}, an expectation is not met")
        print(
            f"ingest   {result['status']}, {console.counted(result['records'], 'record')}{reason}"
        )
        if result["watermark"] is not None:
            print(f"         watermark {console.as_text(result['watermark'])}")
        for table, counts in sorted(result["written"].items()):
            done = ", ".join(f"{n:,} {what}" for what, n in sorted(counts.items()) if n)
            print(f"         {table}: {done}")
    console.say(
        "everything written was rolled back" if result is not None else "nothing was written"
    )


def _as_text(rule: Any) -> str:
    names = {"content_type": "content type", "body": "body"}
    terms = _terms(rule)
    return ", ".join(f"{names[x]} {y}" if x in names else str(y) for x, y in terms.items())
