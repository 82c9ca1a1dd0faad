"""Handlers for tests: good ones, and ones that do what a handler must not do."""

from __future__ import annotations

import base64
import contextlib
import ctypes
import errno
import os
import pickle
import struct
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np

from headgate.handlers import Chunk, Document, File, Result

NAP = os.environ.get("HEADGATE_TEST_NAP", "9877")
KEPT: list[bytearray] = []
READERS = ("importlib.metadata", "email.message")


def mean(chunk: Chunk) -> Result:
    """Return the mean close of each asset that has bars."""
    has_bars = chunk.lengths > 0
    sums = np.add.reduceat(chunk.columns["close"], chunk.starts[has_bars])
    ids, bars = chunk.asset_ids[has_bars], chunk.lengths[has_bars]
    rows = {
        "asset_id": ids,
        "mean": sums / bars,
        "bars": bars,
        "last_date": chunk.columns["dates"][chunk.ends[has_bars] - 1],
    }
    return Result(rows, skipped={x: "no bars" for x in chunk.asset_ids[~has_bars].tolist()})


def mean_of_a_frame(chunk: Chunk) -> Result:
    """Return the same as `mean`, computed by pandas."""
    rows = chunk.frame().groupby("asset_id", as_index=False)
    named = {"mean": ("close", "mean"), "bars": ("close", "size"), "last_date": ("dates", "max")}
    return Result(rows.agg(**named))


def culprit(chunk: Chunk) -> bool:
    return "P3" in chunk.codes


def raises(chunk: Chunk) -> Result:
    if culprit(chunk):
        raise ValueError("no mean\nof this")
    return mean(chunk)


def no_signature() -> Result:
    return Result()


def says_nothing(chunk: Chunk) -> Result:
    return None  # type: ignore[return-value]


def too_few_rows(chunk: Chunk) -> Result:
    rows = mean(chunk.take(0, len(chunk) - 1)).rows
    return Result(rows)


def wrong_columns(chunk: Chunk) -> Result:
    rows = dict(mean(chunk).rows)  # type: ignore[arg-type]
    rows["average"] = rows.pop("mean")
    return Result(rows)


def wrong_type(chunk: Chunk) -> Result:
    rows = dict(mean(chunk).rows)  # type: ignore[arg-type]
    return Result({**rows, "bars": rows["bars"] + 0.5})


def nan_keys(chunk: Chunk) -> Result:
    rows = dict(mean(chunk).rows)  # type: ignore[arg-type]
    keys = rows["asset_id"].astype(float)
    keys[chunk.codes.index("P3")] = np.nan
    return Result({**rows, "asset_id": keys})


def infinite(chunk: Chunk) -> Result:
    rows = dict(mean(chunk).rows)  # type: ignore[arg-type]
    rows["mean"][chunk.codes.index("P3")] = np.inf
    return Result(rows)


def greets(chunk: Chunk) -> Result:
    print("good morning")
    raise ValueError("it rains")


def prints(chunk: Chunk) -> Result:
    print("x" * 5_000_000)
    sys.stderr.write("y" * 1000)
    ctypes.CDLL(None).puts(b"from C")
    return mean(chunk)


def leaks(chunk: Chunk) -> Result:
    KEPT.append(bytearray(os.urandom(1) * 50_000_000))
    return mean(chunk)


def frees_what_it_used(chunk: Chunk) -> Result:
    used = [np.ones(2**17) for _ in range(30)]  # a megabyte each
    return Result() if len(used) == 30 else mean(chunk)


def greedy(chunk: Chunk) -> Result:
    if culprit(chunk):
        KEPT.append(bytearray(10**9))
    return mean(chunk)


def hangs(chunk: Chunk) -> Result:
    if culprit(chunk):
        time.sleep(1000)
    return mean(chunk)


def exits(chunk: Chunk) -> Result:
    if culprit(chunk):
        print("good-bye", file=sys.stderr, flush=True)
        sys.exit(3)
    return mean(chunk)


def crashes(chunk: Chunk) -> Result:
    if culprit(chunk):
        ctypes.string_at(0)
    return mean(chunk)


def forks(chunk: Chunk) -> Result:
    os.fork()
    return mean(chunk)


def leaves_a_process(chunk: Chunk) -> Result:
    subprocess.Popen(["sleep", NAP])
    return mean(chunk)


def start_a_session() -> None:
    """Start a process in its own session that outlives its parent."""
    subprocess.run(f"setsid sleep {NAP} & exit", shell=True, check=True)


def leaves_a_session(chunk: Chunk) -> Result:
    start_a_session()
    return mean(chunk)


def leaves_a_session_and_hangs(chunk: Chunk) -> Result:
    start_a_session()
    time.sleep(1000)
    return mean(chunk)


def leaves_a_session_and_crashes(chunk: Chunk) -> Result:
    start_a_session()
    ctypes.string_at(0)
    return mean(chunk)


def slow_mean(chunk: Chunk) -> Result:
    time.sleep(0.5)
    return mean(chunk)


def raises_and_hangs(chunk: Chunk) -> Result:
    if "P5" in chunk.codes:
        time.sleep(1000)
    return raises(chunk)


def tells_its_environment(chunk: Chunk) -> Result:
    told = " ".join(f"{name}={value}" for name, value in os.environ.items())
    return Result(failed=dict.fromkeys(chunk.asset_ids.tolist(), told))


def tells_what_is_imported(chunk: Chunk) -> Result:
    """Return which of the modules that read entry points this process has imported."""
    return Result(output={int(chunk.asset_ids[0]): [x for x in READERS if x in sys.modules]})


def names_its_keys(chunk: Chunk) -> Result:
    told = "keys: " + ", ".join(sorted(name for name in os.environ if name.endswith("_KEY")))
    return Result(failed=dict.fromkeys(chunk.asset_ids.tolist(), told))


def tells_what_it_was_given(chunk: Chunk) -> Result:
    given = os.environ["HEADGATE_TEST_KEY"]
    print("my key is", given)
    sys.stderr.write("x" * 1_900 + given)
    sys.stderr.flush()
    if culprit(chunk):
        print("\nit ends with", base64.b64encode(given.encode()).decode(), flush=True)
        os._exit(7)
    raise ValueError(f"{given}: wrong\u202egnp.exe \x1b[31m" + given * 2_000)


class Bomb:
    """Object that creates a folder when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (os.environ["HEADGATE_TEST_TRACE"],)


def answers_with_a_bomb(chunk: Chunk) -> Result:
    """Write a pickled bomb, framed like an answer, to every open file."""
    bomb = pickle.dumps(Bomb())
    for file in range(3, 64):
        with contextlib.suppress(OSError):
            os.write(file, struct.pack(">QQ", len(bomb), 0) + bomb)
    return mean(chunk)


def puts_out(chunk: Chunk) -> Result:
    """Return means as rows, and an output per asset for later steps."""
    ids = chunk.asset_ids.tolist()
    return replace(
        mean(chunk),
        output={
            x: {"bars": n, "code": c}
            for x, n, c in zip(ids, chunk.lengths, chunk.codes, strict=True)
        },
    )


def puts_out_alone(chunk: Chunk) -> Result:
    return Result(output={x: [1, None, "é"] for x in chunk.asset_ids.tolist()})


def puts_out_no_json(chunk: Chunk) -> Result:
    return Result(output={x: {1, 2} for x in chunk.asset_ids.tolist()})


def puts_out_nan(chunk: Chunk) -> Result:
    return Result(output={x: float("nan") for x in chunk.asset_ids.tolist()})


def puts_out_nul(chunk: Chunk) -> Result:
    return Result(output={x: "a\0b" for x in chunk.asset_ids.tolist()})


def puts_out_of_another(chunk: Chunk) -> Result:
    return Result(output={-1: 1})


def puts_out_too_much(chunk: Chunk) -> Result:
    return Result(output={x: "x" * 2_000_000 for x in chunk.asset_ids.tolist()})


def reads_only_what_is_good(document: Document) -> object:
    """Parse an answer; some texts make the parser fail in a given way."""
    said = document.text()
    match said:
        case "raises":
            raise KeyError("the price")
        case "hangs":
            time.sleep(3600)
        case "crashes":
            ctypes.string_at(0)
        case "leaks":
            return bytearray(2**31).hex()
        case "no json":
            return {1, 2}
        case "nan":
            return float("nan")
        case "nul":
            return "\0"
    return {"said": said, "url": document.url, "type": document.content_type}


def writes_files(chunk: Chunk) -> Result:
    """Write each asset's description, once as bytes and once as a file with its number of rows."""
    assert chunk.folder is not None
    files: dict[int, dict[str, Any]] = {}
    for asset_id, code, name in zip(
        chunk.asset_ids.tolist(), chunk.codes, chunk.names, strict=True
    ):
        place = chunk.folder / f"{code}.csv"
        place.write_text(f"code\n{code}\n")
        files[asset_id] = {
            f"{name}.json": b'{"code": "%b"}' % code.encode(),
            f"{name}.csv": File(place, 1),
        }
    return Result(files=files)


def writes_to(name: str) -> Any:
    """Return a handler that writes a file of this name."""
    return lambda chunk: Result(files={int(chunk.asset_ids[0]): {name: b"x"}})


climbs = writes_to("../../etc/passwd")
has_no_name = writes_to("")


def writes_of_another(chunk: Chunk) -> Result:
    return Result(files={-1: {"a": b"x"}})


def writes_a_number(chunk: Chunk) -> Result:
    return Result(files={int(chunk.asset_ids[0]): {"a": 1}})  # type: ignore[dict-item]


def writes_what_is_not_there(chunk: Chunk) -> Result:
    return Result(files={int(chunk.asset_ids[0]): {"a": "/nowhere/at/all"}})


def fills_the_disk(chunk: Chunk) -> Result:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fills_the_disk_at_first(chunk: Chunk) -> Result:
    assert chunk.folder is not None
    if not (freed := chunk.folder.parent / "freed").exists():
        freed.touch()
        return fills_the_disk(chunk)
    return writes_files(chunk)


def toils(chunk: Chunk) -> Result:
    """Hold 150 MB for a moment and use at least 200 ms of processor time."""
    held = bytearray(150 * 2**20)
    for place in range(0, len(held), 4096):
        held[place] = 1
    until = time.process_time() + 0.25
    while time.process_time() < until:
        pass
    return mean(chunk)


def toils_for_the_first(chunk: Chunk) -> Result:
    return toils(chunk) if chunk.codes == ["P0"] else mean(chunk)
