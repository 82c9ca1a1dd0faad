"""Questions to the planner: the fields of their form, and what is wrong with which of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, LiteralString

import psycopg
from aiohttp import web
from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from headgate import explained
from headgate.database import from_psycopg
from headgate.errors import HeadgateError, ServerError

PIPELINES: LiteralString = "select p.pipeline from headgate.v_pipelines as p order by p.pipeline"
PARAMETERS: LiteralString = """
select * from headgate.run_parameters(p_counted => true) as p where p.pipeline = %(pipeline)s
"""
PARAMETER: Final = "param."
"""How the name of a parameter's field begins."""
NONE: Final[Mapping[str, Any]] = {
    "at": None,
    "quota": None,
    "days": None,
    "params": Jsonb({}),
    "counted": True,
}


@dataclass(slots=True)
class Field:
    """A field of the form."""

    name: str
    label: str
    hint: str
    value: str = ""
    choices: Sequence[str] = ()
    """Its only values; empty: any text."""
    kind: str = "text"
    """A parameter's type."""
    error: HeadgateError | None = None

    @property
    def is_parameter(self) -> bool:
        """Return whether it is one of the run's parameters, or of those for questions alone."""
        return self.name.startswith(PARAMETER)

    @property
    def argument(self) -> Any:
        """Return its value as the planner takes it; texts are read by the planner itself."""
        match self.kind:
            case "json":
                with suppress(ValueError):
                    return json.loads(self.value)
            case "boolean":
                return {"true": True, "false": False}.get(self.value, self.value)
            case "names":
                return [x.strip() for x in self.value.split(",") if x.strip()]
        return self.value


AT: Final = Field("at", "At", "a time, e.g. 2026-01-31 21:30Z or tomorrow; empty: now")
QUOTA: Final = Field("quota", "Usable units", "instead of those of the window")
DAYS: Final = Field("days", "Days", "how many days, one run on each", value="7")
ONLY_ASKED: Final = (
    Field(
        "param.bulk_calls",
        "bulk_calls",
        "false: only calls for one asset",
        choices=("true", "false"),
        kind="boolean",
    ),
    Field(
        "param.calendar",
        "calendar",
        "daily: every day is a session",
        choices=("sessions", "daily"),
    ),
    Field("param.reserve", "reserve", "units that are left for other pipelines"),
    Field("param.operations", "operations", "only these, between commas", kind="names"),
)
"""Parameters that only questions have, not runs."""


@dataclass(slots=True)
class Question:
    """What is asked of the planner, and what is wrong with it as a whole."""

    pipelines: list[str]
    pipeline: str | None
    fields: list[Field] = field(default_factory=list)
    error: HeadgateError | None = None

    @property
    def given(self) -> list[Field]:
        """Return the fields that are not empty."""
        return [x for x in self.fields if x.value]

    def ask(self, connection: Connection[DictRow], *queries: LiteralString, **more: Any) -> Any:
        """Return the rows of each query; None if the question is wrong, which its fields then say.

        Raises ServerUnreachable, and UnknownPipeline for a pipeline that there is not.
        """
        arguments = self._arguments(self.fields) | more
        try:
            with connection.transaction():
                return [connection.execute(x, arguments).fetchall() for x in queries]
        except psycopg.Error as exc:
            error = from_psycopg(exc)
            if isinstance(error, ServerError) or self.pipeline not in self.pipelines:
                raise error from exc
            if isinstance(exc, psycopg.errors.QueryCanceled):
                self.error = error
            else:
                self._blame(connection, error)
            return None

    def _blame(self, connection: Connection[DictRow], error: HeadgateError) -> None:
        """Ask with each field alone: those refused are wrong; without any, it is all together."""
        for one in self.given:
            query = explained.FORECAST if one.name == DAYS.name else explained.QUOTA
            try:
                with connection.transaction():
                    connection.execute(query, self._arguments([one]))
            except psycopg.Error as exc:
                one.error = from_psycopg(exc)
        if not any(x.error for x in self.fields):
            self.error = error

    def _arguments(self, fields: Sequence[Field]) -> dict[str, Any]:
        given = [x for x in fields if x.value]
        params = {x.name.removeprefix(PARAMETER): x.argument for x in given if x.is_parameter}
        own = {x.name: x.value for x in given if not x.is_parameter}
        return {**NONE, **own, "pipeline": self.pipeline, "params": Jsonb(params)}


def question_of(connection: Connection[DictRow], request: web.Request, *fields: Field) -> Question:
    """Return the question that a form has sent; without a pipeline, the first one's empty form."""
    pipelines = [row["pipeline"] for row in connection.execute(PIPELINES).fetchall()]
    pipeline = request.query.get("pipeline") or (pipelines[0] if pipelines else None)
    parameters = connection.execute(PARAMETERS, {"pipeline": pipeline}).fetchall()
    declared = [_field_of(row) for row in parameters]
    names = {x.name for x in declared}
    asked = [x for x in ONLY_ASKED if x.name not in names]
    return Question(
        pipelines, pipeline, [_with_value(x, request) for x in (*fields, *declared, *asked)]
    )


def _field_of(parameter: DictRow) -> Field:
    """Return the field of a run's parameter."""
    default, known, kind = parameter["default_value"], parameter["choices"], parameter["type"]
    choices = ("true", "false") if kind == "boolean" else ()
    says = [parameter["description"]]
    if kind == "text" and parameter["is_closed"]:
        choices = tuple(known)
    elif known:
        says.append(f"Known: {', '.join(known)}.")
    if default is not None:
        says.append(f"Empty: {default if isinstance(default, str) else json.dumps(default)}.")
    name = parameter["parameter"]
    return Field(PARAMETER + name, name, " ".join(says), choices=choices, kind=kind)


def _with_value(empty: Field, request: web.Request) -> Field:
    """Return a copy of the field with what was typed into it."""
    return replace(empty, value=request.query.get(empty.name, empty.value).strip())
