"""`headgate check`: shows what a plan's files would change, and their mistakes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from headgate.cli.commands import console
from headgate.cli.commands.options import AsJson
from headgate.migrate import Checked, check_plans

ORDER = ("created", "changed", "retired", "not checked")


def check(
    plan: Annotated[
        str | None,
        typer.Argument(help="A plan, by its name or folder; without: all.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Try a plan's files and roll back: show all changes they would make, and all mistakes."""
    found = check_plans(console.ready_settings(), plan)
    if as_json:
        console.print_json({"plans": [asdict(x) for x in found]})
    else:
        for checked in found:
            _show(checked)
    count = sum(len(x.mistakes) for x in found)
    if count:
        console.say(f"{console.counted(count, 'mistake')}; nothing was changed")
        raise typer.Exit(1)
    if any(x.files for x in found):
        console.say("nothing was changed; headgate migrate applies it")
    else:
        console.say("no mistakes and no changes")


def _show(checked: Checked) -> None:
    print(f"plan {checked.plan}: {_summary(checked)}")
    for path in checked.files:
        print(f"    {'to apply':11}  {path}")
    for change in sorted(checked.changes, key=lambda x: ORDER.index(x.change)):
        what = f": {change.what}" if change.what else ""
        print(f"    {change.change:11}  {change.object}{what}")
    for mistake in checked.mistakes:
        print(f"{mistake.place}: {mistake.message}" if mistake.place else mistake.message)
        if mistake.hint:
            print(f"    hint: {mistake.hint}")


def _summary(checked: Checked) -> str:
    if checked.mistakes:
        return console.counted(len(checked.mistakes), "mistake")
    found = [x.change for x in checked.changes]
    counts = [f"{found.count(x)} {x}" for x in ORDER if x in found]
    return ", ".join([*counts, f"{checked.unchanged} unchanged"])
