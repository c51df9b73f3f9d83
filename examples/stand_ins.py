"""Connectors of the examples that do nothing outside: each call becomes a line of `outbox.jsonl` in the run's directory.

They have the signatures that the real ones would have, so the flows are checked as they would be with those.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar

from engine.connectors.protocol import CallContext, bad_argument
from engine.outcomes import Json
from specs.context import ActionSpec, FieldSpec

TEXT = FieldSpec("string", required=True)
ANY_TEXT = FieldSpec("string")
DELIVERED: Mapping[str, str] = {"delivered": "bool"}


class StandIn:
    """Writes down what it is asked to do and says that it was done."""

    actions: ClassVar[Mapping[str, ActionSpec]] = {}

    def __init__(self, config: Mapping[str, Json]) -> None:
        self.config = config

    async def call(self, action: str, arguments: Mapping[str, Json], context: CallContext) -> Json:
        """Record the call and return its outputs."""
        if action not in self.actions:
            raise bad_argument(f"there is no action `{action}`")
        name = f"{type(self).__name__.lower()}.{action}"
        with open(context.run_dir / "outbox.jsonl", "a", encoding="utf-8") as outbox:
            outbox.write(json.dumps({"use": name, "with": dict(arguments)}) + "\n")
        context.log(f"{name}: written to outbox.jsonl")
        return self.answer(arguments)

    def answer(self, arguments: Mapping[str, Json]) -> Json:
        """What the real one would give back."""
        return {"delivered": bool(arguments)}


class Slack(StandIn):
    """Messages to a channel."""

    actions: ClassVar = {"post": ActionSpec({"channel": TEXT, "text": TEXT}, DELIVERED)}


class GitHub(StandIn):
    """The status of a commit."""

    actions: ClassVar = {
        "status": ActionSpec(
            {
                "sha": TEXT,
                "state": FieldSpec("string", required=True, choices=("success", "failure")),
                "text": ANY_TEXT,
            },
            DELIVERED,
        )
    }


class Dns(StandIn):
    """Records of a zone."""

    actions: ClassVar = {"upsert": ActionSpec({"name": TEXT, "target": TEXT, "ttl": FieldSpec("int")}, DELIVERED)}


class Ticket(StandIn):
    """Comments on tickets."""

    actions: ClassVar = {"comment": ActionSpec({"id": TEXT, "text": TEXT}, DELIVERED)}


class PagerDuty(StandIn):
    """Calls for people."""

    actions: ClassVar = {"trigger": ActionSpec({"summary": TEXT, "details": ANY_TEXT}, DELIVERED)}


class Ledger(StandIn):
    """A record of deliveries."""

    actions: ClassVar = {"append": ActionSpec({"recipient": TEXT, "channel": TEXT, "status": TEXT}, DELIVERED)}


class Mail(StandIn):
    """Mail by SMTP."""

    actions: ClassVar = {"send": ActionSpec({"to": TEXT, "subject": TEXT, "html": TEXT}, DELIVERED)}


class Sms(StandIn):
    """Short messages."""

    actions: ClassVar = {"send": ActionSpec({"number": TEXT, "text": TEXT}, DELIVERED)}


class Push(StandIn):
    """Messages to a device."""

    actions: ClassVar = {"send": ActionSpec({"token": TEXT, "title": TEXT, "body": TEXT}, DELIVERED)}


class Broker(StandIn):
    """A message broker, for the trigger that listens to it."""

    actions: ClassVar = {"publish": ActionSpec({"queue": TEXT, "body": FieldSpec("any", required=True)}, DELIVERED)}


class Template(StandIn):
    """Texts of a campaign."""

    actions: ClassVar = {
        "render": ActionSpec(
            {"name": TEXT, "locale_field": ANY_TEXT}, {"subject": "string", "html": "string", "text": "string"}
        )
    }

    def answer(self, arguments: Mapping[str, Json]) -> Json:
        """A text made of the campaign's name."""
        name = str(arguments["name"])
        return {"subject": name, "html": f"<p>{name}</p>", "text": name}
