"""Options of a stand-in, and their command-line arguments."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOKEN = "standin"
DSN_VARIABLE = "STANDIN_DSN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A stand-in's configuration; `quota` and `rate` may be None for no limit."""

    host: str = "127.0.0.1"
    port: int = 0
    port_file: Path | None = None
    bars: Path | None = None
    replay: Path | None = None
    listings: Path | None = None
    any_ticker: bool = False
    extended: bool = False
    quota: int | None = 100_000
    rate: int | None = 1_000
    tokens: tuple[str, ...] = (TOKEN,)
    dsn: str | None = None
    ledger: Path | None = None
    faults: tuple[dict[str, Any], ...] = ()
    seed: int = 0
    until_eof: bool = False

    def arguments(self) -> list[str]:
        """Return the arguments for these options, without the DSN, which may be secret."""
        given = [
            "--host",
            self.host,
            "--port",
            str(self.port),
            "--seed",
            str(self.seed),
            "--faults",
            json.dumps(self.faults),
        ]
        given += ["--quota", _word(self.quota), "--rate", _word(self.rate)]
        for name, value in (
            ("--port-file", self.port_file),
            ("--bars", self.bars),
            ("--replay", self.replay),
            ("--listings", self.listings),
            ("--ledger", self.ledger),
        ):
            given += [name, str(value)] if value is not None else []
        given += ["--any-ticker"] if self.any_ticker else []
        given += ["--extended"] if self.extended else []
        given += ["--until-eof"] if self.until_eof else []
        for token in self.tokens:
            given += ["--token", token]
        return given

    @classmethod
    def parse(cls, arguments: Sequence[str] | None = None) -> Options:
        """Parse options from command-line arguments."""
        given = vars(_parser().parse_args(arguments))
        given["tokens"] = tuple(given.pop("token") or (TOKEN,))
        given["faults"] = tuple(given["faults"])
        return cls(**given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m headgate.demo.eodhd", description="A stand-in for the EODHD API."
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on; in a container 0.0.0.0")
    add("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    add("--port-file", type=Path, help="file to write the port to once it answers")
    add("--bars", type=Path, help="folder with eod.csv.gz: real bars instead of synthetic ones")
    add(
        "--replay", type=Path, help="folder with us_eod_bitemporal: real bars, as known on each day"
    )
    add("--listings", type=Path, help="CSV file with more listings than the shipped ones")
    add(
        "--any-ticker",
        action="store_true",
        help="know every ticker of the ten exchanges, not only the shipped listings",
    )
    add("--extended", action="store_true", help="the accounts have bulk-fundamentals")
    add("--quota", type=_limit, default=100_000, help='units a token may spend in a day, or "none"')
    add("--rate", type=_limit, default=1_000, help='requests a minute, or "none"')
    add("--token", action="append", help=f'a token to accept (may be repeated; default "{TOKEN}")')
    add(
        "--dsn",
        default=os.environ.get(DSN_VARIABLE),
        help=f"ask this database for the time, by headgate.clock(); default: {DSN_VARIABLE}",
    )
    add("--ledger", type=Path, help="file that keeps the ledger from one start to the next")
    add("--faults", type=json.loads, default=[], help="fault rules, as JSON")
    add("--seed", type=int, default=0, help="seed of the faults that happen by chance")
    add("--until-eof", action="store_true", help="end when standard input does: with its starter")
    return parser


def _limit(text: str) -> int | None:
    return None if text == "none" else int(text)


def _word(limit: int | None) -> str:
    return "none" if limit is None else str(limit)
