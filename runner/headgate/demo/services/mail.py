"""Mail server that keeps received mails and rejects on request."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword


@dataclass
class MailServer:
    """SMTP handler: received mails, and the rejections to answer with."""

    port: int = 0
    refusals: dict[str, str] = field(default_factory=dict)
    """SMTP reply by the command to reject: MAIL (sender), RCPT (recipient) or DATA (mail)."""
    hangs_up: bool = False
    """Whether the server accepts a mail and then drops the connection without a reply."""
    mails: list[Message] = field(default_factory=list)
    users: dict[str, str] = field(default_factory=dict)
    """Passwords by user. If any are given, only these users may send."""
    logins: list[str] = field(default_factory=list)
    """Users that have logged in, in order."""

    def log_in(self, *given: Any) -> AuthResult:
        """Accept a known user with the right password."""
        login = given[-1]
        assert isinstance(login, LoginPassword)
        user = login.login.decode()
        if self.users.get(user) != login.password.decode():
            return AuthResult(success=False, handled=False)
        self.logins.append(user)
        return AuthResult(success=True)

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
def mail_server(
    certificate: Path | None = None, users: dict[str, str] | None = None
) -> Iterator[MailServer]:
    """Run a mail server on a free port of 127.0.0.1 until the end of the block.

    With a certificate it offers STARTTLS, and accepts logins only over TLS.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = MailServer(free.getsockname()[1], users=users or {})
    tls = None
    if certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
    controller = Controller(
        server,
        hostname="127.0.0.1",
        port=server.port,
        tls_context=tls,
        authenticator=server.log_in,
        auth_required=bool(users),
    )
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


def make_certificate(folder: Path) -> Path:
    """Write a self-signed certificate for 127.0.0.1 and its key to one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        raise FileNotFoundError("openssl is not installed: a certificate cannot be made")
    key, file = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", str(key), "-out", str(file),
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    file.write_bytes(file.read_bytes() + key.read_bytes())
    return file
