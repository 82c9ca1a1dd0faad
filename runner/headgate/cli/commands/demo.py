"""`headgate demo`: runs a shipped plan against stand-ins for its providers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated, LiteralString

import typer
from psycopg.rows import DictRow

from headgate.cli.commands import console
from headgate.cli.commands.carry import print_page, require_success, result_of, work_off
from headgate.cli.commands.migrate import migrate
from headgate.cli.commands.options import Params
from headgate.cli.commands.run import begin, run
from headgate.cli.commands.summary import print_summary
from headgate.database import connect
from headgate.demo import DATABASE, QUOTA, Demo, Stage, find_demo, staged
from headgate.reports import program_name
from headgate.settings import Settings

if TYPE_CHECKING:
    from headgate.demo import ServiceDemo

NEXT = """\
The bars were made up, and are kept apart in the database {database}. Run it again: nothing is asked
for twice. With {token} set, headgate run {pipeline} asks the real service.
"""
PLANS = "equities, freshpoc, onpoint, recommender or viral"
PIPELINES: LiteralString = "select pipeline from headgate.v_pipelines"
SHOWN = 10
"""Maximum rows shown of a query."""
Quota = Annotated[
    int, typer.Option(min=0, max=1_000_000, help="Units a day that the stand-in allows.")
]


def demo(
    plan: Annotated[str, typer.Argument(help=f"{PLANS}.")] = "equities",
    param: Params = None,
    quota: Quota = QUOTA,
) -> None:
    """Run a plan against stand-ins for its services, in its own database; needs no account."""
    from headgate.demo import SERVICE_DEMOS  # loads an HTTP server

    if plan in SERVICE_DEMOS:
        run_with_services(SERVICE_DEMOS[plan], param)
        return
    with on_stage(find_demo(plan, SERVICE_DEMOS), quota) as stage:
        before, served = stage.booked_units(), stage.served_units()
        settings, run_id = begin(stage.demo.pipeline, param, workers=1)
        work_off(settings, stage.demo.pipeline, run_id)
        row, facts = result_of(settings, stage.demo.pipeline, run_id)
        print_summary(settings, row, facts, again=f"{program_name()} demo {plan}")
        _print_units(stage, before, served)
        print(NEXT.format(database=DATABASE, token=stage.demo.token, pipeline=stage.demo.pipeline))
        print_page(settings, row)
        require_success(row)


def _print_units(stage: Stage, before: dict[str, int], served: int) -> None:
    """Print what was charged since, by both ledgers."""
    theirs = stage.served_units() - served
    after = stage.booked_units()
    ours = sum(after.values()) - sum(before.get(x, 0) for x in after)
    difference = "equal" if ours == theirs else f"{abs(ours - theirs):,} apart"
    print(f"units of this run: {ours:,} by our ledger, {theirs:,} by the server's ({difference})\n")


def run_with_services(demo: ServiceDemo, param: list[str] | None) -> None:
    """Run a plan against stand-ins for its services, and print the calls they received."""
    from headgate.demo import inbox_of, played

    os.environ["HEADGATE_DATABASE"] = DATABASE
    migrate()
    settings = Settings.from_env()
    with ExitStack() as stack:
        if demo.source:
            source = stack.enter_context(demo.source(settings))
            console.say(f"the database {source} plays what the plan reads")
        services = stack.enter_context(played(demo, settings))
        inbox = stack.enter_context(inbox_of(demo.plan, settings)) if demo.has_channels else None
        for name, service in services.items():
            late = ", from 3 s on" if name == demo.late else ""
            console.say(f"a stand-in plays {name} at {service.url}{late}")
        code = max(_code_of(pipeline, param) for pipeline in demo.pipelines)
        for name, service in services.items():
            if service.calls:
                asked = console.counted(len(service.calls), "call")
                print(f"{name}: {asked}, served {service.served}")
        for message in inbox.messages() if inbox else ():
            print(message)
    for store, folder in demo.folders(settings).items():
        print(f"{store}: {folder}")
    print(f"\nIn psql (headgate psql, with HEADGATE_DATABASE={DATABASE}):")
    with connect(settings, "demo") as connection:
        for query in demo.queries:
            print(f"\n  {query};")
            _print_rows(connection.execute(query.encode()).fetchmany(SHOWN))
    raise typer.Exit(code)


def _code_of(pipeline: str, param: list[str] | None) -> int:
    """Run a pipeline; return the exit code of its command."""
    try:
        run(pipeline, param=param)
    except typer.Exit as exc:
        return exc.exit_code
    return 0


def _print_rows(rows: list[DictRow]) -> None:
    if rows:
        console.print_table(rows, *rows[0])


@contextmanager
def on_stage(demo: Demo, quota: int) -> Iterator[Stage]:
    """Migrate the demo database and start the stand-in; this process becomes its client."""
    os.environ["HEADGATE_DATABASE"] = DATABASE
    migrate()
    with staged(demo, Settings.from_env(), quota=quota) as stage:
        os.environ[demo.token] = stage.standin.token
        console.say(
            f"a stand-in plays {demo.provider} at {stage.standin.api} ({quota:,} units a day)"
        )
        yield stage


@contextmanager
def others_played() -> Iterator[None]:
    """Play what the other shipped plans of the demo database call, and where they send notices."""
    from headgate.demo import SERVICE_DEMOS, inbox_of, played

    settings = Settings.from_env()
    with connect(settings, "demo") as connection:
        there = {x["pipeline"] for x in connection.execute(PIPELINES)}
    with ExitStack() as stack:
        demos = [x for x in SERVICE_DEMOS.values() if there.issuperset(x.pipelines)]
        for demo in demos:
            if demo.source:
                stack.enter_context(demo.source(settings))
            stack.enter_context(played(demo, settings))
            if demo.has_channels:
                stack.enter_context(inbox_of(demo.plan, settings))
        if demos:
            console.say(f"further ones play what these call: {', '.join(x.plan for x in demos)}")
        yield
