"""Plays a plan's channels: a web hook of Slack and a mail server, which keep what they are sent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from psycopg.types.json import Jsonb

from headgate.database import connect, mapped_errors
from headgate.demo.services.mail import MailServer, mail_server
from headgate.demo.services.running import running
from headgate.demo.services.slack import HOOK, slack, texts
from headgate.demo.services.stand_in import StandIn
from headgate.settings import Settings

HOOK_SECRET: Final = "DEMO_{}_SLACK_URL"
"""Variable with the hook's address; not the plan's own, whose file may lead to a real Slack."""
SET_CHANNEL: Final = """
select * from headgate.set_channel(p_channel => %(channel)s, p_changes => %(changes)s)
"""


@dataclass(frozen=True, slots=True)
class Inbox:
    """What the channels of a plan have received."""

    slack: StandIn
    mail: MailServer

    def messages(self) -> list[str]:
        """Return the texts that were posted, then the subjects of the mails."""
        mails = [f"mail to {x['To']}: {x['Subject']}" for x in self.mail.mails]
        return [*(f"Slack: {x}" for x in texts(self.slack)), *mails]


@contextmanager
def inbox_of(plan: str, settings: Settings) -> Iterator[Inbox]:
    """Lead the channels `<plan>_slack` and `<plan>_mail` to stand-ins within the block."""
    secret = HOOK_SECRET.format(plan.upper())
    with running([slack()]) as started, mail_server() as mail:
        changes: dict[str, dict[str, str | int]] = {
            f"{plan}_slack": {"secret_name": secret},
            f"{plan}_mail": {"host": "127.0.0.1", "port": mail.port},
        }
        with connect(settings, "demo") as connection, mapped_errors():
            for channel, values in changes.items():
                connection.execute(SET_CHANNEL, {"channel": channel, "changes": Jsonb(values)})
        os.environ[secret] = started["slack"].url + HOOK
        try:
            yield Inbox(started["slack"], mail)
        finally:
            del os.environ[secret]
