"""`headgate new`: writes a new plan that migrates and runs as it is."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from headgate.cli.commands import console
from headgate.cli.commands.options import AsJson
from headgate.cli.scaffold import Scaffold, scaffold
from headgate.migrate import plan_folders
from headgate.settings import Settings

LOOPBACK = ("127.0.0.1", "localhost")


def new(
    name: Annotated[str, typer.Argument(help="The plan's name.", show_default=False)],
    plans: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where plans are.", show_default=False),
    ] = None,
    dags: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where Airflow's DAGs are.", show_default=False),
    ] = None,
    base_url: Annotated[
        str, typer.Option(metavar="URL", help="Where the service is.")
    ] = "http://127.0.0.1:8080",
    as_json: AsJson = False,
) -> None:
    """Write a new plan and its DAG: a small working one, with an example to run against."""
    settings = Settings.from_env()
    made = scaffold(settings, name, plans=plans, dags=dags, base_url=base_url)
    paths = made.write()
    steps = _next_steps(settings, made)
    if as_json:
        console.print_json({"plan": name, "files": paths, "next": steps})
        return
    for path in paths:
        print(_shown(path))
    if made.dag is None:
        console.say("no DAG was written: HEADGATE_DAGS or --dags names the folder")
    console.say("next:")
    for step in steps:
        console.say(f"    {step}")


def _next_steps(settings: Settings, made: Scaffold) -> list[str]:
    """Return the commands that lead to a first run."""
    folder = made.folder.resolve()
    steps = []
    if folder not in plan_folders(settings.db, settings.plans).values():
        others = settings.plans or (settings.db / "plans",)
        plans = os.pathsep.join(map(str, (*others, folder)))
        steps.append(f"export HEADGATE_PLANS={shlex.quote(plans)}")
    example = _shown(folder / "example")
    steps += [
        "headgate migrate",
        f"headgate request {made.plan}_item 1",
        f"headgate try {made.plan}_item 1 --answer {example}/items/1.json",
    ]
    where = urlsplit(made.base_url)
    if where.hostname in LOOPBACK and where.scheme == "http":
        bound = f"{where.port or 80} --bind 127.0.0.1"
        steps.append(f"python3 -m http.server {bound} --directory {example} &")
    return [*steps, f"headgate run {made.plan}", f"headgate check {made.plan}"]


def _shown(path: Path) -> str:
    """Return a path for the shell, relative to the current folder if possible."""
    absolute, here = path.resolve(), Path.cwd()
    return shlex.quote(
        str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)
    )
