"""set_channel: an operator sets the address of a channel for this environment."""

from __future__ import annotations

from typing import Any

import pytest

from tests.db.toy import Toy


@pytest.fixture
def toy(toy: Toy) -> Toy:
    """Declare one channel."""
    toy.sql(
        "insert into headgate.channels (name, kind, host, sender, recipients)"
        " values ('inbox', 'mail', 'localhost', 'a@site.test', '{b@site.test}')"
    )
    return toy


def test_mails_go_where_the_change_says_from_now_on(toy: Toy):
    changes = {"host": "mail.site.test", "port": 25, "recipients": ["c@site.test", "d@site.test"]}

    assert toy.row("set_channel", p_channel="inbox", p_changes=changes) == {
        "name": "inbox", "secret_name": None, "username": None, "sender": "a@site.test", **changes
    }  # fmt: skip
    assert (
        toy.scalar("select changed from headgate.v_operator_actions where action = 'set_channel'")
        == changes
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"hosts": "x"}, "'hosts' cannot be set"),
        ({"kind": "slack"}, "'kind' cannot be set"),
        ({"port": 70000}, "port_in_range"),
        ({"port": "many"}, "invalid input syntax"),
        ({"port": None}, "null value"),
        ({"recipients": []}, "mail_has_host_sender_and_recipients"),
        ({"username": "headgate"}, "a_user_has_a_password"),
        ({"secret_name": "https://hooks.test/x"}, "secret_is_a_name"),
    ],
    ids=str,
)
def test_a_wrong_change_is_refused_whole(toy: Toy, changes: dict[str, Any], told: str):
    with toy.unchanged(), toy.refused("HG008", "channel inbox: ", told):
        toy.call("set_channel", p_channel="inbox", p_changes={"sender": "x@site.test", **changes})


def test_an_unknown_channel_is_named_with_those_there_are(toy: Toy):
    with toy.refused("HG008", "unknown channel: 'inbx'", "inbox"):
        toy.call("set_channel", p_channel="inbx", p_changes={})
