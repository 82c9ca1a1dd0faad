"""Stand-in for Slack's incoming web hooks."""

from __future__ import annotations

from typing import Final

from headgate.demo.services.stand_in import Ask, StandIn, Text

HOOK: Final = "/services/T0/B0/secret-path"
"""Path of the only hook; knowing it is the permission to post."""


def slack() -> StandIn:
    """Return the stand-in; `status` faults with `says` play Slack's errors, such as no_service."""

    def post(ask: Ask) -> Text:
        return Text("ok" if ask.json()["text"] else "no_text")

    return StandIn("slack", {("POST", HOOK): post})


def texts(service: StandIn) -> list[str]:
    """Return the texts of the posted messages."""
    return [x.ask.json()["text"] for x in service.calls if x.was_served]
