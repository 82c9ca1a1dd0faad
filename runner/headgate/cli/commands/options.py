"""Options that several commands share."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

MAX_LIMIT = 1_000_000_000
"""Maximum number of rows that can be requested."""

Pipeline = Annotated[str, typer.Argument(help="The pipeline's name.", show_default=False)]
OfPipeline = Annotated[
    str | None,
    typer.Option(
        "--pipeline", metavar="PIPELINE", help="Only of this pipeline.", show_default=False
    ),
]
RunId = Annotated[str, typer.Argument(metavar="RUN_ID", help="A run.", show_default=False)]
Step = Annotated[str, typer.Argument(metavar="STEP", help="Its step.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON document.")]
Params = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        metavar="NAME=VALUE",
        help="A parameter of the run; may be given several times. A list: NAME=a,b,c",
        show_default=False,
    ),
]


def parse_params(given: list[str] | None) -> dict[str, Any]:
    """Return the parameters as an object; a value that is not valid JSON is taken as text."""
    found: dict[str, Any] = {}
    for item in given or []:
        name, equals, text = item.partition("=")
        if not (name and equals):
            raise typer.BadParameter(f"{item!r} is not NAME=VALUE", param_hint="--param")
        try:
            found[name] = json.loads(text, parse_constant=_refuse)
        except ValueError:
            found[name] = text
    return found


def _refuse(constant: str) -> None:
    """Reject NaN and Infinity: only Python accepts them as JSON."""
    raise ValueError(constant)
