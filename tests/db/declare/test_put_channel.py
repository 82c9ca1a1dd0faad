"""put_channel: where notifications go; secrets are given by name only."""

from __future__ import annotations

import pytest

from tests.db.declare.conftest import Shelf


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        ("put_channel('ops', 'fax')", "channel kind is known"),
        ("put_channel('ops', 'slack')", "a hook is a secret"),
        ("put_channel('ops', 'slack', 'https://hooks.test/x')", "secret is a name"),
        ("put_channel('ops', 'slack', 'PGPASSWORD')", "secret is no way into the database"),
        ("put_channel('ops', 'mail', host => 'mail.test')", "mail has host sender and recipients"),
        ("put_channel('Ops!', 'slack', 'HOOK')", "channel name is plain"),
    ],
)
def test_a_mistake_is_named(shelf: Shelf, call: str, rule: str):
    assert f"breaks the rule: {rule}" in shelf.mistakes(call)


def test_a_channel_that_is_no_longer_declared_is_removed(shelf: Shelf):
    channel, route = "put_channel('ops', 'slack', 'HOOK')", "put_route('all', 'ops', 'run')"
    assert shelf.put(channel, route)[:2] == ["created", "created"]
    assert shelf.put(channel, route)[:2] == ["unchanged", "unchanged"]
    shelf.put(channel)
    assert shelf.toy.scalar("select count(*) from headgate.routes where name = 'all'") == 0
    shelf.put()
    assert shelf.toy.scalar("select count(*) from headgate.channels where name = 'ops'") == 0


def test_an_operators_value_stays_until_the_files_value_changes(shelf: Shelf):
    inbox = (
        "put_channel('inbox', 'mail', host => '{}', sender => 'a@site.test', "
        "recipients => '{{b@site.test}}')"
    )
    shelf.put(inbox.format("localhost"))
    shelf.toy.call("set_channel", p_channel="inbox", p_changes={"host": "mail.site.test"})

    assert shelf.put(inbox.format("localhost"))[0] == "unchanged"
    assert (
        shelf.toy.scalar("select host from headgate.channels where name = 'inbox'")
        == "mail.site.test"
    )
    assert shelf.put(inbox.format("127.0.0.1"))[0] == "changed: host"
