"""The command line: `headgate`, or `python -m headgate`."""

from headgate.cli.command_line import main

__all__ = ["main"]
