"""Runs the stand-in until stopped: `python -m headgate.demo.eodhd --help`."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

from headgate.demo.eodhd.options import Options
from headgate.demo.eodhd.server import serve


async def run(options: Options) -> None:
    """Serve until SIGTERM, SIGINT or, with `until_eof`, the end of standard input."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if options.until_eof:
        loop.add_reader(sys.stdin, stop.set)
    async with serve(options) as standin:
        if options.port_file is not None:
            scratch = options.port_file.with_suffix(".new")
            scratch.write_text(str(standin.port))
            scratch.replace(options.port_file)
        else:
            print(f"base URL {standin.api} token {standin.token}", flush=True)
        await stop.wait()


def main() -> None:
    """Parse the arguments and run the stand-in."""
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(run(Options.parse(sys.argv[1:])))


if __name__ == "__main__":
    main()
