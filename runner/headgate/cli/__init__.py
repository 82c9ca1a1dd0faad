"""Command line `headgate`, or `python -m headgate`."""

from typing import TYPE_CHECKING

from headgate.lazy import lazily

if TYPE_CHECKING:
    from headgate.cli.command_line import main

__all__ = ["main"]
__getattr__ = lazily(__name__, {"main": "command_line"})
