"""Makes the calls: up to N at once in all, and for each provider up to its own limit."""

from __future__ import annotations

import asyncio
import logging
import math
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from headgate.shown import cleared
from headgate.worker.answer_cache import Deliver
from headgate.worker.calls import Caller, Reply
from headgate.worker.leases import CallLease
from headgate.worker.pace import ServerClock, Starts
from headgate.worker.provider_state import MAX_FAULTS, Providers, ProviderState
from headgate.worker.rules import Outcome

logger = logging.getLogger(__name__)

MAX_BUFFERED: Final = 64 * 1024 * 1024
CUT = Reply(Outcome("retry", "provider", "cut by shutdown"), 1, None, 0)
BROKEN = Reply(Outcome("retry", "internal", "the runner could not make the call"), 1, None, 0)


class CallExecutor:
    """Starts calls while there is room, and passes a chunk on when it has a new result."""

    def __init__(
        self,
        caller: Caller,
        providers: Providers,
        clock: ServerClock,
        concurrency: int,
        on_result: Callable[[CallLease], None],
        on_starved: Callable[[CallLease, Starts, int], None],
        look_up: Callable[[CallLease, Deliver], None],
    ) -> None:
        self.open = 0
        self.buffered = 0
        self.clock = clock
        self.providers = providers
        self._caller = caller
        self._concurrency = concurrency
        self._on_result = on_result
        self._on_starved = on_starved
        self._look_up = look_up
        self._timer: asyncio.TimerHandle | None = None
        self._is_stopped = False
        self._loop = asyncio.get_running_loop()

    @property
    def room(self) -> int:
        """Return the number of calls that can start and have no time to start yet."""
        if self.buffered >= MAX_BUFFERED or self._is_stopped:
            return 0
        promised = sum(state.starts.promised for state in self.providers.turn)
        return max(0, self._concurrency - self.open - promised)

    def take(self, held: CallLease) -> None:
        """Add a chunk: its calls start as there is room; if its provider is blocked, none does."""
        state = self.providers.of(held.chunk.provider)
        state.in_flight = held.call.in_flight
        state.queue.append(held)
        state.load += held.waiting
        if state.stop_at_once(held, self._loop.time()) and held.block is not None:
            self.give_up(held, held.block.reason)
        if held.is_looking:
            self._look_up(held, self.serve)
        self.pump()

    def serve(self, held: CallLease, replies: Mapping[int, Reply]) -> None:
        """Take replies to calls that need not be made; an empty mapping lets the others start."""
        size = held.report.size
        self._lighten(held, held.serve(replies, self._loop.time()))
        self.buffered += held.report.size - size
        held.is_looking = bool(replies)
        if replies:
            self._on_result(held)
        self.pump()

    def pump(self) -> None:
        """Start calls while there is room."""
        began = self._loop.time()
        while (
            self.open < self._concurrency
            and self.buffered < MAX_BUFFERED
            and not self._is_stopped
            and (held := self._next()) is not None
        ):
            self._start(held)
        self._ask_for_starts()
        self._pump_in_time(began)

    def _ask_for_starts(self) -> None:
        """Ask for as many times to start as there is room for; others would lapse unused."""
        for state in self.providers.turn:
            while (starved := state.starved(self.room)) is not None:
                held, calls = starved
                state.starts.asking += calls
                self._on_starved(held, state.starts, calls)

    def freed(self, size: int) -> None:
        """Note that `size` bytes of answers have been handed in, and start calls in their room."""
        self.buffered -= size
        self.pump()

    def give_up(self, held: CallLease, reason: str) -> None:
        """Start no further call of a chunk; the calls that have not started are reported unsent."""
        self._lighten(held, held.give_up(reason, self._loop.time()))
        self._on_result(held)

    def drop(self, held: CallLease) -> None:
        """Drop a chunk whose lease is lost: cancel its calls and discard their answers."""
        held.is_lost = True
        self.providers.of(held.chunk.provider).handed_in(held)
        self._lighten(held, held.waiting)
        held.next = len(held.todo)
        self.buffered -= held.discard()
        for task in held.open.values():
            task.cancel()

    async def finish(self, helds: Iterable[CallLease], seconds: float) -> None:
        """Start no more calls, wait up to `seconds` for the open ones, and cancel the rest."""
        self._is_stopped = True
        tasks = [task for held in helds for task in held.open.values()]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            logger.warning("%s calls were cut; they may have been served", len(late))
            await asyncio.wait(late)

    def _next(self) -> CallLease | None:
        now = self._loop.time()
        for _ in range(len(self.providers.turn)):
            state = self.providers.turn[0]
            self.providers.turn.rotate(-1)
            while (held := state.next_call(now)) is not None and now >= held.starts_end:
                self.give_up(held, "no time was left to start it")
            if held is not None:
                return held
        return None

    def _pump_in_time(self, began: float) -> None:
        """Schedule another pump for the time at which the next call may start.

        It may have come since this pump began, after the call was found to be too early.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at = min((state.next_start() for state in self.providers.turn), default=math.inf)
        if began < at < math.inf:
            self._timer = self._loop.call_at(at, self.pump)

    def _start(self, held: CallLease) -> None:
        index = held.todo[held.next]
        state = self.providers.of(held.chunk.provider)
        if held.is_paced:
            state.starts.take()
        held.next += 1
        self.open += 1
        state.open += 1
        held.open[index] = self._loop.create_task(self._make(held, index))

    async def _make(self, held: CallLease, index: int) -> None:
        url = held.urls[index]
        body = held.chunk.bodies[index] if held.chunk.bodies else None
        own = held.chunk.headers[index] if held.chunk.headers else None
        stale = held.stale.pop(index, None)
        if stale is not None:
            own = {**(own or {}), **stale.conditions}
        try:
            if url is None:
                reply = _refused(held, index)
            else:
                reply = await self._caller.fetch(held.call, url, body, own)
                reply = reply if stale is None else stale.unless_changed(reply)
        except asyncio.CancelledError:
            reply = CUT
        except Exception as exc:
            trace = cleared("".join(traceback.format_exception(exc)))  # it may name the signed URL
            logger.error(
                "a call of chunk %s broke in the runner: %s",
                held.chunk.chunk_id,
                trace,
                extra=held.chunk.log_fields,
            )
            reply = BROKEN
        self._finished(held, index, reply)

    def _finished(self, held: CallLease, index: int, reply: Reply) -> None:
        state = self.providers.of(held.chunk.provider)
        self.open -= 1
        state.open -= 1
        self._lighten(held, 1)
        del held.open[index]
        if not held.is_lost:
            held.record(index, reply, self._loop.time())
            self.buffered += len(reply.payload or b"")
            self._learn(state, held, reply.outcome)
            if held.must_stop and held.waiting:
                self.give_up(held, "a call before it failed")
            self._on_result(held)
        self.pump()

    def _learn(self, state: ProviderState, held: CallLease, outcome: Outcome) -> None:
        """Stop calls at once where an outcome requires it; the database learns of it later."""
        is_answered = outcome.is_success or outcome.fault == "item"
        if outcome.block is not None:
            if held.block is None:  # not said before
                logger.warning("%s is blocked: %s", state.provider, outcome.reason)
            for other in state.stop(held, outcome.block, self._loop.time()):
                self.give_up(other, outcome.block.reason)
        if held.is_probing and is_answered:
            held.is_probing = False
        elif held.is_probing:
            self.give_up(held, "the provider did not answer the probe")
        state.faults = 0 if is_answered else state.faults + 1
        if state.faults >= MAX_FAULTS:
            state.faults = 0
            for other in list(state.queue):
                self.give_up(other, f"{MAX_FAULTS} calls in a row were not answered")

    def _lighten(self, held: CallLease, calls: int) -> None:
        self.providers.of(held.chunk.provider).load -= calls


def _refused(held: CallLease, index: int) -> Reply:
    if held.call.fault is not None:  # "item": not the provider's fault
        return Reply(Outcome("deferred", "item", held.call.fault), 0, None, 0)
    asset_ids = held.chunk.asset_ids
    asset_id = asset_ids[0] if held.call.serves_all else asset_ids[index]
    reason = held.call.refused.get(asset_id, "no request could be written")
    return Reply(Outcome("failed", "item", reason), 0, None, 0)
