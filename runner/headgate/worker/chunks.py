"""What a runner holds: a leased chunk, how its calls are made, and what came of its jobs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from headgate.errors import SecretMissing, WrongPlan
from headgate.escapes import Bytes
from headgate.handlers import RowType
from headgate.shown import learn
from headgate.worker.pace import Schedule
from headgate.worker.rules import Rules, compile_rules

HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
PER_ASSET: Final = "{asset.base_url}"
"""The base URL of a provider whose assets have one each."""
FRAMING: Final = frozenset(
    ("connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade")
)
"""Headers by which a message is cut out of its connection: the HTTP client's alone."""


@dataclass(frozen=True, slots=True)
class Auth:
    """Where the secret goes, and the environment variable that holds it."""

    place: str = "none"
    name: str = ""
    variable: str = ""

    def secret(self) -> str:
        """Read the secret, or raise SecretMissing."""
        if self.place == "none":
            return ""
        if self.place == "dsn":
            return self._dsn()
        secret = os.environ.get(self.variable, "").strip()
        if not secret or not secret.isprintable():
            raise SecretMissing(
                f"the environment variable {self.variable} is not set, or holds no secret",
                hint=f"set {self.variable} in the runner's environment",
            )
        return secret

    def _dsn(self) -> str:
        """Read a database's connection string; what of it is secret is not shown from now on."""
        dsn = os.environ.get(self.variable, "").strip()
        try:
            parts = conninfo_to_dict(dsn)
        except ProgrammingError:
            parts = {}
        if not dsn:
            raise SecretMissing(
                f"the environment variable {self.variable} is not set",
                hint=f"set {self.variable} in the runner's environment to the database's DSN",
            )
        if not parts.get("dbname") or not (parts.get("host") or parts.get("hostaddr")):
            raise SecretMissing(
                f"the environment variable {self.variable} holds no connection string with host "
                "and database",
                hint="postgresql://user:password@host/database",
            )
        learn(dsn)
        if parts.get("password"):
            learn(str(parts["password"]))
        own = {"password": "", "passfile": f"{os.devnull}/none"}  # not our own database's password
        return make_conninfo(dsn, **{x: y for x, y in own.items() if x not in parts})


@dataclass(frozen=True, slots=True)
class Stage:
    """A table of the schema headgate_stage, into which rows of another database are copied."""

    table: str
    columns: tuple[tuple[str, str, int], ...]
    """Name, type, and the type's OID."""

    @classmethod
    def from_row(cls, row: dict[str, Any] | None) -> Stage | None:
        """Read the `stage` of a call."""
        if row is None:
            return None
        if "columns" not in row:
            raise WrongPlan(
                f"the stage headgate_stage.{row['table']} is missing",
                hint="headgate doctor --fix makes it again",
            )
        return cls(row["table"], tuple((x, y, z) for x, y, z in row["columns"]))


@dataclass(frozen=True, slots=True)
class Store:
    """Where a store of files is, and which variables hold its secrets."""

    name: str
    url: str
    endpoint: str | None = None
    region: str | None = None
    key_id_name: str | None = None
    secret_name: str | None = None

    @classmethod
    def from_row(cls, row: dict[str, Any] | None) -> Store | None:
        """Read the `store` of a claimed chunk."""
        return None if row is None else cls(**{x: row[x] for x in cls.__slots__})


@dataclass(frozen=True, slots=True)
class Call:
    """How one operation's requests are made."""

    base_url: str
    """PER_ASSET: each URL is whole."""
    method: str
    headers: tuple[tuple[str, str], ...]
    auth: Auth
    timeout_seconds: float
    max_bytes: int
    in_flight: int
    serves_all: bool
    """Each call is for all assets of the chunk, one call a session."""
    probe: bool
    """The first call goes alone; the others only if the provider answers it."""
    stop_before_seconds: float | None
    """No call starts later than this after the claim."""
    schedule: Schedule | None
    """When the calls may start; None: whenever there is room."""
    refused: Mapping[int, str]
    """Assets for which no request could be written, and why."""
    fault: str | None
    """Why none could be written, by our own fault."""
    rules: Rules
    is_statement: bool = False
    """It asks a database: each URL is a statement, each body a list of its parameters."""
    max_rows: int | None = None
    """The most rows that a statement may return."""
    hosts: tuple[str, ...] | None = None
    """Where whole URLs may lead; None: anywhere, without a secret."""
    stage: Stage | None = None
    """Where a statement's rows are copied to; None: they are the payload."""
    parser: str | None = None
    """What makes JSON of a good answer's body; None: the body is the payload."""
    max_memory: int = 0
    """Bytes that a parser may take."""
    answers: str = ""
    """What the database wants to know of an answer besides its body: status, headers as well, or
    the snapshot that a statement has seen."""
    keeps_refused: bool = False
    """It also wants the start of a body that is no payload."""

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Call:
        """Read the `call` of a claimed chunk; raises WrongPlan for one that cannot be made."""
        stop_before = row.get("stop_before_seconds")
        is_statement = row.get("kind") == "postgres"
        if not row.get("base_url") and not is_statement:
            raise WrongPlan("the provider has no base URL", hint="set providers.base_url")
        return cls(
            base_url=(row.get("base_url") or "").rstrip("/"),
            method=row.get("method") or "GET",
            headers=tuple(header(name, x) for name, x in (row.get("headers") or {}).items()),
            auth=_auth(row.get("auth") or {}, is_statement),
            timeout_seconds=float(row.get("timeout_seconds") or 30),
            max_bytes=int(row.get("max_bytes") or 67_108_864),
            in_flight=int(row.get("in_flight") or 1),
            serves_all=bool(row.get("serves_all")),
            probe=bool(row.get("probe")),
            stop_before_seconds=None if stop_before is None else float(stop_before),
            schedule=Schedule(**row["schedule"]) if row.get("schedule") else None,
            refused={int(key): text for key, text in (row.get("refused") or {}).items()},
            fault=row.get("fault"),
            rules=compile_rules(row.get("rules") or []),
            parser=row.get("parser"),
            max_memory=int(row.get("max_memory") or 0),
            answers=row.get("answers") or "",
            keeps_refused=bool(row.get("keeps_refused")),
            is_statement=is_statement,
            max_rows=row.get("max_rows"),
            hosts=None if row.get("hosts") is None else tuple(row["hosts"]),
            stage=Stage.from_row(row.get("stage")),
        )


def _auth(row: dict[str, Any], is_dsn: bool) -> Auth:
    if is_dsn:
        return Auth("dsn", "", row.get("secret") or "")
    auth = Auth(row.get("in", "none"), row.get("name") or "", row.get("secret") or "")
    if auth.place == "header":
        header(auth.name, "")
    return auth


def header(name: str, value: Any) -> tuple[str, str]:
    """Return a header as it may be sent. Raises WrongPlan for one that could end before its end."""
    text = str(value)
    if (
        not HEADER_NAME.fullmatch(name)
        or name.lower() in FRAMING
        or not text.replace("\t", "").isprintable()
    ):
        raise WrongPlan(
            f"the header {name!r} cannot be sent",
            hint="a header is a name and one line of text, and says nothing of the body's length",
        )
    return name, text


@dataclass(frozen=True, slots=True)
class Handling:
    """How one chunk's handler is run."""

    context: dict[str, Any]
    """What its input function is told: pipeline, run_id, params, now and so on."""
    input_function: str | None
    input_format: str | None
    """csv or json: its rows reach the handler as a stream; None: as arrays."""
    codes: list[str]
    watermarks: list[str | None]
    timeout_seconds: float
    max_memory: int
    environment: tuple[str, ...]
    """The variables that it sees besides harmless ones."""
    row_type: RowType | None
    """The rows its ingest function takes; None: it has none."""
    options: dict[str, Any]
    store: Store | None
    """Where its files go; None: it makes none."""
    names: list[str | None]
    """Of each asset the name of its file; empty: the operation has no store."""
    refused: Mapping[str, str]
    """Codes of assets whose file cannot be named, and why."""

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Handling:
        """Read the `call` of a claimed chunk that has a handler."""
        names = row.get("names") or []
        return cls(
            context=row["context"],
            input_function=row.get("input"),
            input_format=row.get("input_format"),
            codes=row["codes"],
            watermarks=row["watermarks"],
            timeout_seconds=float(row["timeout_seconds"]),
            max_memory=int(row["max_memory"]),
            environment=tuple(sorted(set(row["environment"]))),
            row_type=RowType.from_row(row.get("rows")),
            options=row.get("options") or {},
            store=Store.from_row(row.get("store")),
            names=[None if isinstance(x, dict) else x for x in names],
            refused={
                code: x["refused"]
                for code, x in zip(row["codes"], names, strict=False)
                if isinstance(x, dict)
            },
        )


@dataclass(frozen=True, slots=True)
class Rows:
    """A handler's rows: an array of the ingest function's row type in binary."""

    packed: bytes
    row_type: RowType
    counts: list[int]
    """How many belong to each job of the report."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A leased chunk; (chunk_id, lease_no) is its fencing token."""

    chunk_id: int
    lease_no: int
    lease_seconds: int
    pipeline: str
    run_id: str
    step: str
    provider: str
    operation: str
    call: dict[str, Any]
    """How its calls are made, or its handler is run; empty: it is only handed in."""
    handler: str | None
    asset_ids: list[int]
    urls: list[str | None] | None
    """One for each asset, or a single one that serves them all; None: there is nothing to call."""
    bodies: list[str | None] | None
    attempt: int
    headers: list[dict[str, str] | None] | None = None
    """Of each request, the headers that are its own; None: all requests have the same."""

    @property
    def execution(self) -> tuple[str, str]:
        """Name the execution it belongs to."""
        return self.pipeline, self.run_id


@dataclass(frozen=True, slots=True)
class Claim:
    """What a claim brought: chunks, or how many seconds to wait (None: nothing is known)."""

    at: float
    """When it was asked, by the event loop's clock: leases count from then."""
    chunks: Sequence[Chunk] = ()
    wait_seconds: float | None = None


COLUMNS: Final = (
    "asset_ids",
    "outcomes",
    "faults",
    "payloads",
    "errors",
    "requests",
    "charged",
    "durations_ms",
    "answers",
)


@dataclass(slots=True)
class Report:
    """What came of jobs, column by column, as `complete_jobs` takes it."""

    asset_ids: list[int] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    faults: list[str | None] = field(default_factory=list)
    payloads: list[Bytes | None] = field(default_factory=list)
    errors: list[str | None] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)
    charged: list[int] = field(default_factory=list)
    durations_ms: list[int] = field(default_factory=list)
    answers: list[str | None] = field(default_factory=list)
    """In JSON what is known of an answer besides its body, or what a handler put out."""
    size: int = 0
    """Bytes of the payloads."""
    rows: Rows | None = None
    """What a handler computed."""
    peak_memory: int | None = None
    """The most bytes of memory that the handler's process had."""
    cpu_ms: int | None = None
    """Each job's share of the processor time that the handler took."""
    files: list[dict[str, Any]] | None = None
    """Files that have been put into the operation's store, as artifacts are made of them."""

    def __len__(self) -> int:
        return len(self.asset_ids)

    def add(
        self,
        asset_id: int,
        outcome: str,
        *,
        fault: str | None = None,
        payload: Bytes | None = None,
        error: str | None = None,
        requests: int = 0,
        charged: int = 0,
        duration_ms: int = 0,
        answer: str | None = None,
    ) -> None:
        """Add one job."""
        self.asset_ids.append(asset_id)
        self.outcomes.append(outcome)
        self.faults.append(fault)
        self.payloads.append(payload)
        self.errors.append(error)
        self.requests.append(requests)
        self.charged.append(charged)
        self.durations_ms.append(duration_ms)
        self.answers.append(answer)
        self.size += len(payload) if payload else 0

    def halves(self) -> tuple[Report, Report]:
        """Return the report in two; its payloads are what it is about, not rows or files."""
        middle = len(self) // 2
        first, rest = Report(), Report()
        for mine, one, other in (
            (getattr(self, name), getattr(first, name), getattr(rest, name)) for name in COLUMNS
        ):
            one.extend(mine[:middle])
            other.extend(mine[middle:])
        return first, rest


@dataclass(slots=True)
class GroupReport:
    """What came of calls that each serve all assets of a chunk: one end for all of its jobs.

    `success` with fewer answers than sessions are left: the chunk goes on with the others.
    """

    asset_ids: list[int]
    outcome: str = "success"
    fault: str | None = None
    error: str | None = None
    payloads: list[Bytes | None] = field(default_factory=list)
    """The answers to the next sessions, in order."""
    requests: int = 0
    charged: int = 0
    duration_ms: int = 0
    size: int = 0
    """Bytes of the payloads."""

    def __len__(self) -> int:
        """Return 0 while there is nothing to hand in."""
        return len(self.asset_ids) if self.payloads or self.outcome != "success" else 0


@dataclass(frozen=True, slots=True)
class UniformReport:
    """One end for all jobs of a chunk that is not called."""

    asset_ids: list[int]
    outcome: str
    fault: str | None = None
    error: str | None = None

    def __len__(self) -> int:
        return len(self.asset_ids)


Result: TypeAlias = Report | GroupReport | UniformReport
