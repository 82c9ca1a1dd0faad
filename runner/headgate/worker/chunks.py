"""Leased chunks, and how their calls are made or handlers run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from headgate.errors import WrongPlan
from headgate.handlers import RowType
from headgate.worker.auth import Auth, header
from headgate.worker.pace import Schedule
from headgate.worker.rules import Rules, compile_rules

PER_ASSET: Final = "{asset.base_url}"
"""The base URL of a provider whose assets each have their own."""


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
    """The address of a store of files, and the environment variables that hold its secrets."""

    name: str
    url: str
    endpoint: str | None = None
    region: str | None = None
    key_id_name: str | None = None
    secret_name: str | None = None

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Store:
        """Read the `store` of a claimed chunk, or of an artifact."""
        return cls(**{x: row[x] for x in cls.__slots__})


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file in a store."""

    store: Store
    name: str
    key: str
    sha256: str
    bytes: int
    rows: int | None
    media_type: str


@dataclass(frozen=True, slots=True)
class Call:
    """How one operation's requests are made."""

    base_url: str
    """PER_ASSET if each URL is complete."""
    method: str
    headers: tuple[tuple[str, str], ...]
    auth: Auth
    timeout_seconds: float
    max_bytes: int
    in_flight: int
    serves_all: bool
    """Each call serves all assets of the chunk, one call per session."""
    probe: bool
    """The first call goes alone; the others follow only if the provider answers it."""
    stop_before_seconds: float | None
    """No call starts later than this many seconds after the claim."""
    schedule: Schedule | None
    """When the calls may start; None: as soon as there is room."""
    refused: Mapping[int, str]
    """By asset, the reason why no request could be written for it."""
    fault: str | None
    """The internal fault because of which no request could be written at all."""
    rules: Rules
    is_statement: bool = False
    """The call asks a database: each URL is a statement, each body the list of its parameters."""
    max_rows: int | None = None
    """The maximum number of rows that a statement may return."""
    hosts: tuple[str, ...] | None = None
    """The hosts that complete URLs may lead to; None: any host, but without a secret."""
    stage: Stage | None = None
    """The table into which a statement's rows are copied; None: the rows are the payload."""
    parser: str | None = None
    """The parser that turns a good answer's body into JSON; None: the body is the payload."""
    max_memory: int = 0
    """Bytes of memory that a parser may take."""
    answers: str = ""
    """What to report of an answer besides its body: `status`, `headers` (and the status), or the
    `snapshot` that a statement has seen."""
    is_cached: bool = False
    """Answers to equal requests may serve: they are looked up before calls are made."""
    keeps_refused: bool = False
    """Also report the start of a body that is not a payload."""

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Call:
        """Read the `call` of a claimed chunk. Raises WrongPlan if it cannot be made."""
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
            is_cached=bool(row.get("cache")),
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


@dataclass(frozen=True, slots=True)
class Handling:
    """How one chunk's handler is run."""

    context: dict[str, Any]
    """The input function's argument: pipeline, run_id, params, now and so on."""
    input_function: str | None
    input_format: str | None
    """csv or json: the input reaches the handler as a stream; None: as arrays."""
    codes: list[str]
    watermarks: list[str | None]
    timeout_seconds: float
    max_memory: int
    environment: tuple[str, ...]
    """The environment variables that the handler sees besides harmless ones."""
    row_type: RowType | None
    """The type of the rows that the ingest function takes; None: there is no ingest function."""
    options: dict[str, Any]
    store: Store | None
    """The store for the handler's files; None: it makes none."""
    names: list[str | None]
    """The file name of each asset; empty: the operation has no store."""
    refused: Mapping[str, str]
    """By asset code, the reason why the asset's file cannot be named."""
    stage: Stage | None
    """The stage that the rows are copied to; None: they come back with the answer."""

    @property
    def has_pipe(self) -> bool:
        """Whether rows go between the handler and the runner through a pipe on this machine."""
        return (self.input_format, self.stage) != (None, None)

    @property
    def has_folder(self) -> bool:
        """Whether the handler needs a folder on this machine."""
        return self.store is not None or self.has_pipe

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
            store=Store.from_row(row["store"]) if row.get("store") else None,
            names=[None if isinstance(x, dict) else x for x in names],
            refused={
                code: x["refused"]
                for code, x in zip(row["codes"], names, strict=False)
                if isinstance(x, dict)
            },
            stage=Stage.from_row(row.get("stage")),
        )


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
    """How to make the calls or run the handler; empty: there is neither."""
    handler: str | None
    asset_ids: list[int]
    urls: list[str | None] | None
    """One per asset; if each call serves all assets, one per call; None: there are no calls."""
    bodies: list[str | None] | None
    attempt: int
    headers: list[dict[str, str] | None] | None = None
    """The own headers of each request; None: all requests have the same headers."""

    @property
    def log_fields(self) -> dict[str, Any]:
        """Return what a log line says of the chunk besides its message."""
        return {
            "pipeline": self.pipeline,
            "run_id": self.run_id,
            "chunk": self.chunk_id,
            "operation": self.operation,
        }

    @property
    def execution(self) -> tuple[str, str]:
        """Return the pipeline and run id of the chunk's execution."""
        return self.pipeline, self.run_id


@dataclass(frozen=True, slots=True)
class Claim:
    """The result of a claim: chunks, or the seconds until there is work (None: unknown)."""

    at: float
    """The time of the request by the event loop's clock; leases count from then."""
    chunks: Sequence[Chunk] = ()
    wait_seconds: float | None = None
