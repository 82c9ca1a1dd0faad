"""Slack, as far as an incoming web hook shows it."""

from __future__ import annotations

from typing import Final

from headgate.demo.services.stand_in import Ask, StandIn, Text

HOOK: Final = "/services/T0/B0/secret-path"
"""The path of the one hook: who knows it may post."""


def slack() -> StandIn:
    """Return the service; `status` faults with `says` are Slack's errors, such as no_service."""

    def post(ask: Ask) -> Text:
        return Text("ok" if ask.json()["text"] else "no_text")

    return StandIn("slack", {("POST", HOOK): post})


def texts(service: StandIn) -> list[str]:
    """Return the messages that people see."""
    return [x.ask.json()["text"] for x in service.calls if x.was_served]
