"""Mail server that keeps received mails and rejects on request."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from typing import Any

from aiosmtpd.controller import Controller


@dataclass
class MailServer:
    """SMTP handler: received mails, and the rejections to answer with."""

    port: int = 0
    refusals: dict[str, str] = field(default_factory=dict)
    """SMTP reply by the command to reject: MAIL (sender), RCPT (recipient) or DATA (mail)."""
    hangs_up: bool = False
    """Whether the server accepts a mail and then drops the connection without a reply."""
    mails: list[Message] = field(default_factory=list)

    async def handle_MAIL(self, *given: Any) -> str:
        """Accept or reject the sender."""
        envelope, address = given[2], given[3]
        if "MAIL" not in self.refusals:
            envelope.mail_from = address
        return self.refusals.get("MAIL", "250 OK")

    async def handle_RCPT(self, *given: Any) -> str:
        """Accept or reject a recipient."""
        envelope, address = given[2], given[3]
        if "RCPT" not in self.refusals:
            envelope.rcpt_tos.append(address)
        return self.refusals.get("RCPT", "250 OK")

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Accept or reject a mail."""
        if "DATA" not in self.refusals:
            self.mails.append(message_from_bytes(envelope.content))
        if self.hangs_up:
            server.transport.abort()
        return self.refusals.get("DATA", "250 taken")


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Run a mail server on a free port of 127.0.0.1 until the end of the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = MailServer(free.getsockname()[1])
    controller = Controller(server, hostname="127.0.0.1", port=server.port)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()
