"""Sends notices to a Slack hook, to a web hook, or by mail.

The address of a hook and the password of a mail server are secrets. They come from the environment
variables that the channels name, and no stored message contains them.
"""

from __future__ import annotations

import json
import os
import smtplib
import ssl
from contextlib import closing, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

from headgate.errors import WrongPlan
from headgate.handlers.contract import Result

if TYPE_CHECKING:
    from headgate.handlers.contract import Chunk

SECONDS: Final = 20.0
SHOWN: Final = 200
TLS_PORT: Final = 465
NOT_NOW: Final = (425, 429, 503)
REVOKED: Final = (401, 403, 404, 410)


class RefusedForGood(Exception):
    """The receiver rejects the notice for good."""


class RefusedForNow(Exception):
    """The receiver has not accepted the notice, but may do so later."""


class Unanswered(Exception):
    """It is unknown whether the receiver has accepted the notice."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice, and the channel that it is sent to."""

    subject: str
    body: str
    key: str
    at: str
    channel: str
    to: dict[str, Any]

    @classmethod
    def from_json(cls, text: str) -> Notice:
        """Read a notice from the input function's JSON. Raises RefusedForGood without a channel."""
        row = json.loads(text)
        if row["to"] is None:
            raise RefusedForGood(f"channel {row['channel']} is no longer declared")
        return cls(*(row[name] for name in ("subject", "body", "key", "at", "channel", "to")))

    @property
    def secret(self) -> str:
        """Return the channel's secret. Raises WrongPlan if the runner lacks it."""
        name = self.to["secret_name"]
        value = os.environ.get(name, "")
        if not value:
            raise WrongPlan(
                f"channel {self.channel} needs the environment variable {name}, which is not set "
                "where the worker runs: set it and restart the worker"
            )
        return value


def send(chunk: Chunk) -> Result:
    """Send each notice of the chunk. This is the handler of the operation `send_notices`."""
    failed: dict[int, str] = {}
    retry: dict[int, str] = {}
    unknown: dict[int, str] = {}
    skipped: dict[int, str] = {}
    for asset_id, text in zip(chunk.asset_ids.tolist(), chunk.values["notice"], strict=True):
        try:
            notice = Notice.from_json(text)
            left_out = _post(notice) if notice.to["kind"] != "mail" else _mail(notice)
        except RefusedForGood as exc:
            failed[asset_id] = str(exc)
        except RefusedForNow as exc:
            retry[asset_id] = str(exc)
        except Unanswered as exc:
            unknown[asset_id] = str(exc)
        else:
            if left_out:
                skipped[asset_id] = left_out
    return Result(skipped=skipped, failed=failed, retry=retry, unknown=unknown)


def _post(notice: Notice) -> str:
    """Send a notice to a hook; return an empty string, because a hook refuses no recipients."""
    name = f"channel {notice.channel}"
    try:
        address = urlsplit(notice.secret)
        opened = _connection(address)
    except ValueError:
        told = f"{name}: {notice.to['secret_name']} does not hold an http(s) address"
        raise WrongPlan(told) from None
    with closing(opened) as hook:
        try:
            hook.connect()
        except OSError as exc:
            raise RefusedForNow(f"{name}: no connection ({type(exc).__name__})") from None
        try:
            path = address.path or "/"
            hook.request(
                "POST", path + (f"?{address.query}" if address.query else ""), *_letter(notice)
            )
            answer = hook.getresponse()
            said = answer.read(SHOWN).decode("utf-8", "replace")
        except (OSError, HTTPException) as exc:
            raise Unanswered(f"{name}: no answer ({type(exc).__name__})") from None
    if answer.status >= 300:
        _raise_for(answer.status, said, notice)
    if notice.to["kind"] == "slack" and said.strip() != "ok":
        raise RefusedForGood(f"{name}: Slack answers {answer.status}, but not ok")
    return ""


def _connection(address: SplitResult) -> HTTPConnection:
    """Return a connection that is not yet open. Raises ValueError for an invalid address."""
    if not address.hostname:
        raise ValueError("no host")
    if address.scheme == "https":
        context = ssl.create_default_context()
        return HTTPSConnection(address.hostname, address.port, timeout=SECONDS, context=context)
    if address.scheme == "http":
        return HTTPConnection(address.hostname, address.port, timeout=SECONDS)
    raise ValueError("neither https nor http")


def _letter(notice: Notice) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of a request."""
    document = (
        {"text": f"*{notice.subject}*\n{notice.body}"}
        if notice.to["kind"] == "slack"
        else {
            "channel": notice.channel,
            "subject": notice.subject,
            "body": notice.body,
            "key": notice.key,
            "at": notice.at,
        }
    )
    headers = {"Content-Type": "application/json", "Idempotency-Key": notice.key}
    return json.dumps(document).encode(), headers


def _raise_for(status: int, said: str, notice: Notice) -> None:
    said = " ".join(said.replace(notice.secret, "***").split())
    told = f"channel {notice.channel}: the hook answers {status} {said}".rstrip()
    if status in NOT_NOW:
        raise RefusedForNow(told)
    if status >= 500:
        raise Unanswered(told)  # it may have accepted the notice
    if status in REVOKED:
        told += f"; it was revoked: make a new one and set {notice.to['secret_name']}"
    elif status < 400:
        told += "; redirects are not followed: set the new address"
    raise RefusedForGood(told)


def _mail(notice: Notice) -> str:
    """Send a notice by mail; return a message that names refused recipients, or an empty one."""
    to = notice.to
    name = f"channel {notice.channel}: mail server {to['host']}:{to['port']}"
    password = notice.secret if to["username"] else ""
    try:
        with closing(_server(to["host"], to["port"])) as server:
            if to["username"]:
                if not isinstance(server.sock, ssl.SSLSocket):
                    raise RefusedForGood(f"{name} offers no TLS: no password is sent in the clear")
                server.login(to["username"], password)
            refused = _hand_over(server, _mail_of(notice), name)
            with suppress(smtplib.SMTPException, OSError):
                server.quit()
    except smtplib.SMTPRecipientsRefused as exc:
        code, said = next(iter(exc.recipients.values()))
        raise _refusal(name, "the recipients", code, said) from None
    except smtplib.SMTPSenderRefused as exc:
        raise _refusal(name, f"the sender {to['sender']}", exc.smtp_code, exc.smtp_error) from None
    except smtplib.SMTPAuthenticationError as exc:
        raise RefusedForGood(
            f"{name} refuses user {to['username']} ({exc.smtp_code}): check {to['secret_name']}"
        ) from None
    except smtplib.SMTPResponseException as exc:
        raise _refusal(name, "the mail", exc.smtp_code, exc.smtp_error) from None
    except (smtplib.SMTPException, OSError) as exc:
        raise RefusedForNow(f"{name}: no connection ({type(exc).__name__})") from None
    return f"{name} refused {', '.join(sorted(refused))}; all others got it" if refused else ""


def _mail_of(notice: Notice) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = notice.to["sender"], ", ".join(notice.to["recipients"])
    message["Subject"] = " ".join(notice.subject.split())
    message["Message-ID"] = f"<{notice.key}@headgate>"
    message.set_content(notice.body)
    return message


def _hand_over(server: smtplib.SMTP, message: EmailMessage, name: str) -> dict[str, Any]:
    """Send a mail; return the refused recipients. Raises Unanswered if the connection breaks."""
    try:
        return server.send_message(message)
    except smtplib.SMTPServerDisconnected:
        raise Unanswered(f"{name}: it hung up while it was given the mail") from None
    except smtplib.SMTPException:
        raise  # an answer, if a bad one
    except OSError as exc:
        raise Unanswered(f"{name}: no answer ({type(exc).__name__})") from None


def _server(host: str, port: int) -> smtplib.SMTP:
    """Connect to a mail server, with TLS if the server offers it."""
    context = ssl.create_default_context()
    if port == TLS_PORT:
        return smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=context)
    server = smtplib.SMTP(host, port, timeout=SECONDS)
    try:
        server.ehlo_or_helo_if_needed()
        if server.has_extn("starttls"):
            server.starttls(context=context)
    except BaseException:
        server.close()
        raise
    return server


def _refusal(name: str, what: str, code: int, said: bytes | str) -> Exception:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    told = f"{name} refuses {what}: {code} {' '.join(text.split())[:SHOWN]}"
    return RefusedForNow(told) if 400 <= code < 500 else RefusedForGood(told)
