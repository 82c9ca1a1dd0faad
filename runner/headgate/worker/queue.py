"""The stored functions that a runner calls: one method and one short transaction each."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection
from psycopg.errors import DeadlockDetected, SerializationFailure
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Identifier
from psycopg.types.json import Jsonb

from headgate import PROTOCOL
from headgate.database import mapped_errors
from headgate.handlers import Input
from headgate.shown import redacted
from headgate.worker import arrays
from headgate.worker.chunks import Artifact, Chunk, Claim, Store
from headgate.worker.pace import Schedule
from headgate.worker.reports import Report, Result
from headgate.worker.rules import Block

REPEATS: Final = 8

CHUNK: Final = """
    select chunk_id, lease_no, lease_seconds, pipeline, run_id, step, provider, operation, call,
        handler, asset_ids, urls, bodies, attempt, headers, wake_at
"""
CLAIM: Final = (
    CHUNK
    + """
    from headgate.claim_jobs(p_runner => %(runner)s, p_queues => %(queues)s::text[],
        p_max_chunks => %(max_chunks)s::integer, p_avoid => %(avoid)s,
        p_protocol => %(protocol)s::integer, p_room => %(room)s::integer)
"""
)
COMPLETION: Final = (
    CHUNK
    + """
    from headgate.complete_jobs(p_runner => %(runner)s, p_chunk_id => %(chunk_id)s::bigint,
        p_lease_no => %(lease_no)s::integer, p_asset_ids => %(asset_ids)s,
        p_outcomes => %(outcomes)s, p_faults => %(faults)s, p_payloads => %(payloads)s,
        p_errors => %(errors)s, p_request_counts => %(requests)s, p_charged => %(charged)s,
        p_durations_ms => %(durations_ms)s,
        p_block => %(block)s, p_claim => %(claim)s::integer,
        p_queues => %(queues)s::text[], p_protocol => %(protocol)s::integer,
        p_room => %(room)s::integer
"""
)
ROWS: Final = ", p_row_counts => %(row_counts)s, p_rows => %(rows)s"
ANSWERS: Final = ", p_answers => %(answers)s"
MORE: Final = """, p_more_chunk_ids => %(more_chunk_ids)s,
        p_more_lease_nos => %(more_lease_nos)s"""
FILES: Final = ", p_files => %(files)s"
POSITION: Final = ", p_position => %(position)s"
USAGE: Final = ", p_peak_memory => %(peak_memory)s::bigint, p_cpu_ms => %(cpu_ms)s::integer"
ADVANCE: Final = "select advanced from headgate.advance_executions() as advanced"
EXTEND: Final = """
    select chunk_id, lease_no, lease_seconds
    from headgate.extend_leases(p_runner => %(runner)s, p_chunk_ids => %(chunk_ids)s,
        p_lease_nos => %(lease_nos)s)
"""
RELEASE: Final = """
    select chunk_id, released
    from headgate.release_jobs(p_runner => %(runner)s, p_chunk_ids => %(chunk_ids)s,
        p_lease_nos => %(lease_nos)s)
"""
LOSE: Final = """
    select from headgate.lose_lease(p_runner => %(runner)s, p_chunk_id => %(chunk_id)s::bigint,
        p_lease_no => %(lease_no)s::integer, p_reason => %(reason)s)
"""
STARTS: Final = """
    select asked_at, start_in, every, burst
    from headgate.take_starts(p_runner => %(runner)s, p_chunk_id => %(chunk_id)s::bigint,
        p_lease_no => %(lease_no)s::integer, p_calls => %(calls)s::integer)
"""
LOOK_UP: Final = """
    select key, state, answered_at, answer, payload
    from headgate.look_up_answers(p_runner => %(runner)s, p_chunk_id => %(chunk_id)s::bigint,
        p_lease_no => %(lease_no)s::integer, p_asset_ids => %(asset_ids)s, p_keys => %(keys)s,
        p_held_at => %(held_at)s::double precision[])
"""
HEARTBEAT: Final = """
    select ended_leases, counts_due
    from headgate.heartbeat(p_runner => %(runner)s, p_host => %(host)s, p_pid => %(pid)s::integer,
        p_version => %(version)s, p_figures => %(figures)s::jsonb)
"""
COUNT: Final = "select has_counted from headgate.keep_counts()"
KEEP_HISTORY: Final = "select forgotten_runs from headgate.keep_history()"
END: Final = "select forgotten from headgate.end_runner(p_runner => %(runner)s)"
FIT: Final = "select headgate.require_fit(p_function => %(function)s)"
STORE: Final = """
    select name, url, endpoint, region, key_id_name, secret_name from headgate.take_store()
"""
REMOVE: Final = """
    select key from headgate.remove_keys(p_store => %(store)s, p_keys => %(keys)s) as key
"""
FORGET: Final = "select headgate.forget_keys(p_store => %(store)s, p_keys => %(keys)s)"
FIND: Final = """
    select artifact_id, store, name, key, sha256, bytes, rows, media_type
    from headgate.find_artifacts(p_artifact_ids => %(artifact_ids)s)
"""
EXPIRE: Final = """
    select key
    from headgate.expire_artifacts(p_store => %(store)s, p_artifact_ids => %(artifact_ids)s) as key
"""
INPUT: Final = "select * from {}(p_context => %(context)s, p_asset_ids => %(asset_ids)s)"


@dataclass(frozen=True, slots=True)
class Heard:
    """What a heartbeat found: leases of dead runners that it ended, and whether counts are due."""

    ended_leases: int
    counts_due: bool


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that this runner still holds, and its seconds from now."""

    chunk_id: int
    lease_no: int
    lease_seconds: int


@dataclass(frozen=True, slots=True)
class LookedUp:
    """The database's answer about one request."""

    key: str
    state: str
    """hit; fetch: this runner makes the request; wait: an equal request is in flight."""
    answered_at: float | None
    answer: str | None
    """JSON with status and headers; None: the runner holds the answer, or there is none."""
    payload: str | None


class Queue:
    """The stored functions that a runner calls, over one connection."""

    def __init__(
        self,
        connection: AsyncConnection[Any],
        runner: str,
        queues: Sequence[str] | None = None,
    ) -> None:
        arrays.register(connection)
        self.connection = connection
        self._runner = runner
        self._queues = None if queues is None else arrays.texts(queues)

    async def claim(self, max_chunks: int, avoid: Sequence[str] = (), room: int = 0) -> Claim:
        """Claim up to `max_chunks` chunks of one provider; with 0, only sweep.

        Their first `room` calls get times to start. Raises ProtocolRefused if the database no
        longer serves this version.
        """
        arguments = {
            "max_chunks": max_chunks,
            "queues": self._queues,
            "avoid": arrays.texts(avoid),
            "protocol": PROTOCOL,
            "room": room,
        }
        at = asyncio.get_running_loop().time()
        return _claim(at, await self._call(CLAIM, arguments))

    async def advance(self) -> bool:
        """Advance one execution by a step; return False if none can go on."""
        ((advanced,),) = await self._call(ADVANCE, {})
        return bool(advanced)

    async def complete(
        self,
        chunk: Chunk,
        report: Result,
        *,
        more: Sequence[Chunk] = (),
        block: Block | None = None,
        claim: int = 0,
        room: int = 0,
    ) -> Claim:
        """Hand in results of a chunk and claim the provider's next chunks, in one commit.

        `more` are chunks without calls, whose jobs follow in the report. Raises LostLease, with
        nothing written, if a lease is lost.
        """
        arguments = {
            **report.columns(),
            "chunk_id": chunk.chunk_id,
            "lease_no": chunk.lease_no,
            "block": None if block is None else Jsonb(_as_json(block)),
            "claim": claim,
            "queues": self._queues,
            "protocol": PROTOCOL,
            "room": room,
        }
        statement: LiteralString = COMPLETION
        if more:
            statement += MORE
            arguments["more_chunk_ids"] = arrays.bigints([x.chunk_id for x in more])
            arguments["more_lease_nos"] = arrays.integers([x.lease_no for x in more])
        if isinstance(report, Report) and report.rows is not None:
            statement += ROWS
            arguments["row_counts"] = arrays.integers(report.rows.counts)
            arguments["rows"] = arrays.rows(
                self.connection, report.rows.packed, report.rows.row_type.array_oid
            )
        if isinstance(report, Report) and any(report.answers):
            statement += ANSWERS
            arguments["answers"] = arrays.texts(report.answers)
        if isinstance(report, Report) and report.files:
            statement += FILES
            arguments["files"] = Jsonb(report.files)
        if isinstance(report, Report) and report.position is not None:
            statement += POSITION
            arguments["position"] = report.position
        if isinstance(report, Report) and report.peak_memory is not None:
            statement += USAGE
            arguments |= {"peak_memory": report.peak_memory, "cpu_ms": report.cpu_ms}
        at = asyncio.get_running_loop().time()
        return _claim(at, await self._call(statement + ")", arguments))

    async def extend(self, chunks: Sequence[Chunk]) -> list[Lease]:
        """Extend leases; return those still held. A missing one is lost: its work is dropped."""
        return [Lease(*row) for row in await self._call(EXTEND, _tokens(chunks))]

    async def release(self, chunks: Sequence[Chunk]) -> int:
        """Release all jobs of these chunks that have not been reported; return their number."""
        return sum(row[1] for row in await self._call(RELEASE, _tokens(chunks)))

    async def lose(self, chunk: Chunk, reason: str) -> None:
        """Report that the work on a chunk failed: its lease ends at once, as if it had expired."""
        token = {"chunk_id": chunk.chunk_id, "lease_no": chunk.lease_no, "reason": redacted(reason)}
        await self._call(LOSE, token)

    async def heartbeat(self, identity: Mapping[str, Any]) -> Heard:
        """Send a heartbeat; return what it found."""
        (row,) = await self._call(HEARTBEAT, identity)
        return Heard(*row)

    async def keep_counts(self) -> bool:
        """Count what pages and metrics show, if that is due; return whether it was."""
        ((has_counted,),) = await self._call(COUNT, {})
        return bool(has_counted)

    async def keep_history(self) -> int:
        """Sum up hours that are over, and forget some of the oldest runs; return how many."""
        ((forgotten,),) = await self._call(KEEP_HISTORY, {})
        return int(forgotten)

    async def end_runner(self) -> None:
        """Report that this runner ends normally."""
        await self._call(END, {})

    async def take_starts(self, chunk: Chunk, calls: int) -> Schedule:
        """Return times at which `calls` more calls of a chunk may start.

        Raises LostLease, with nothing granted, if the lease is lost.
        """
        token = {"chunk_id": chunk.chunk_id, "lease_no": chunk.lease_no, "calls": calls}
        ((asked_at, start_in, every, burst),) = await self._call(STARTS, token)
        return Schedule(asked_at, start_in, every, burst, calls)

    async def look_up(
        self,
        chunk: Chunk,
        asset_ids: Sequence[int],
        keys: Sequence[str],
        held_at: Sequence[float | None],
    ) -> list[LookedUp]:
        """Return the cached answers to requests of a chunk, and who makes the others.

        Raises LostLease, with nothing recorded, if the lease is lost.
        """
        arguments = {
            "chunk_id": chunk.chunk_id,
            "lease_no": chunk.lease_no,
            "asset_ids": arrays.bigints(asset_ids),
            "keys": arrays.texts(keys),
            "held_at": list(held_at),
        }
        return [LookedUp(*row) for row in await self._call(LOOK_UP, arguments)]

    async def take_store(self) -> Store | None:
        """Return a store for this runner to clean; None if no store is due."""
        rows = await self._call(STORE, {})
        return Store(*rows[0]) if rows else None

    async def find_artifacts(self, artifact_ids: Sequence[int]) -> dict[int, Artifact]:
        """Return the existing artifacts among these ids."""
        rows = await self._call(FIND, {"artifact_ids": arrays.bigints(artifact_ids)})
        return {number: Artifact(Store.from_row(store), *file) for number, store, *file in rows}

    async def expire_artifacts(self, store: str, artifact_ids: Sequence[int]) -> list[str]:
        """Make artifacts expire now; return their keys."""
        arguments = {"store": store, "artifact_ids": arrays.bigints(artifact_ids)}
        return [key for (key,) in await self._call(EXPIRE, arguments)]

    async def remove_keys(self, store: str, keys: Sequence[str]) -> list[str]:
        """Release keys without an artifact, and expired ones; return those to remove."""
        rows = await self._call(REMOVE, {"store": store, "keys": arrays.texts(keys)})
        return [key for (key,) in rows]

    async def forget_keys(self, store: str, keys: Sequence[str]) -> None:
        """Report that released keys have been removed from the store."""
        await self._call(FORGET, {"store": store, "keys": arrays.texts(keys)})

    async def read_input(
        self, function: str, context: Mapping[str, Any], asset_ids: Sequence[int]
    ) -> Input:
        """Return a handler's input for these assets, in binary, from its input function."""
        await self._call(FIT, {"function": function})
        statement = SQL(INPUT).format(Identifier(*function.split(".")))
        arguments = {"context": Jsonb(dict(context)), "asset_ids": arrays.bigints(asset_ids)}
        with mapped_errors():
            async with self.connection.cursor(binary=True) as cursor:
                await cursor.execute(statement, arguments, prepare=True)
                result = cursor.pgresult
                assert result is not None
                places = range(result.nfields)
                columns = tuple(
                    ((result.fname(i) or b"").decode(), result.ftype(i)) for i in places
                )
                cells = [
                    [result.get_value(row, i) for i in places] for row in range(result.ntuples)
                ]
        return Input(columns, cells)

    async def _call(
        self, statement: LiteralString, arguments: Mapping[str, Any]
    ) -> list[tuple[Any, ...]]:
        """Run one statement; repeat it after a deadlock or a serialization failure."""
        arguments = {**arguments, "runner": self._runner}
        for attempt in range(1, REPEATS + 1):
            try:
                with mapped_errors():
                    async with self.connection.cursor(row_factory=tuple_row, binary=True) as cursor:
                        await cursor.execute(statement, arguments, prepare=True)
                        return await cursor.fetchall()
            except (DeadlockDetected, SerializationFailure):
                if attempt == REPEATS:
                    raise
            await asyncio.sleep(random.uniform(0, 0.02 * attempt))
        raise AssertionError("unreachable")


def _claim(at: float, rows: list[tuple[Any, ...]]) -> Claim:
    if rows and rows[0][0] is None:
        is_known = rows[0][-1] is not None
        return Claim(at, wait_seconds=float(rows[0][2]) if is_known else None)
    return Claim(at, [Chunk(*row[:-1]) for row in rows])


def _tokens(chunks: Sequence[Chunk]) -> dict[str, Any]:
    return {
        "chunk_ids": arrays.bigints([x.chunk_id for x in chunks]),
        "lease_nos": arrays.integers([x.lease_no for x in chunks]),
    }


def _as_json(block: Block) -> dict[str, Any]:
    return {"until": block.until, "seconds": block.seconds, "reason": redacted(block.reason)}
