"""Other names are refused, and nothing but the server's own files runs in a page."""

from __future__ import annotations


async def test_every_answer_forbids_foreign_code_and_keeping_it(client):
    for path in ("/", "/static/style.css", "/nowhere", "/events"):
        async with client.get(path) as answer:
            policy = answer.headers["Content-Security-Policy"]

        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_only_the_names_of_this_machine_are_served_and_its_addresses(client):
    others = ["evil.example", "127.0.0.1.evil.example:8600", "", "[::1", "a b", "localhost:x"]
    others += ("10.1.2", "0x0a010203", "10.1.2.3.", "[10.1.2.3]x", "[evil]")
    for name in others:
        async with client.get("/", headers={"Host": name}) as answer:
            text = await answer.text()

        assert (name, answer.status) == (name, 421)
        assert "--allow-host" in text
        assert "Content-Security-Policy" in answer.headers

    for name in (
        "localhost:8600",
        "LOCALHOST",
        "127.0.0.1",
        "[::1]:8600",
        "10.1.2.3:8600",
        "[fd00::3]",
    ):
        async with client.get("/", headers={"Host": name}) as answer:
            assert (name, answer.status) == (name, 200)
