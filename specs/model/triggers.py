"""What starts runs (`LANGUAGE.md` 12)."""

# Annotations stay what they are: as texts, pydantic would evaluate each of them anew at every start.
from typing import Annotated, Literal

from pydantic import Field

from specs.model.parts import Bare, HoursSpec, Part, Value
from specs.model.values import Duration, Id, Name, SecretId, Size

KINDS = ("cron", "every", "at", "webhook", "file", "queue", "flow")
"""The keys of which a trigger has exactly one."""


class SignatureSpec(Part):
    """How a webhook proves where it comes from."""

    scheme: Literal["standard", "github", "gitlab", "stripe", "slack", "hmac_sha256", "bearer"]
    header: str | None = None
    secret: SecretId


class WebhookSpec(Part):
    """An HTTP route of its own."""

    path: str
    method: Literal["POST", "PUT", "GET"] = "POST"
    signature: SignatureSpec | None = None
    max_body: Size | None = None


class FileTriggerSpec(Part):
    """Files that appear, change or go."""

    path: str
    event: Literal["created", "modified", "deleted"] = "created"
    settle: Duration | None = None
    batch: Annotated[int, Field(ge=1)] = 1
    batch_wait: Duration | None = None


class QueueTriggerSpec(Part):
    """Messages of a broker."""

    connector: Name
    name: str
    batch: Annotated[int, Field(ge=1)] = 1
    ack: Literal["on_success", "on_start"] = "on_success"
    visibility: Duration | None = None


class FlowTriggerSpec(Part):
    """The end of another flow's run."""

    name: Name
    status: Literal["succeeded", "failed", "ended"] = "succeeded"


class TriggerSpec(Part):
    """One trigger: exactly one of `KINDS` and what goes with it."""

    cron: str | None = None
    every: Duration | None = None
    at: str | None = None
    webhook: WebhookSpec | None = None
    file: FileTriggerSpec | None = None
    queue: QueueTriggerSpec | None = None
    flow: FlowTriggerSpec | None = None

    params: dict[Id, Value] = Field(default_factory=dict)
    condition: Bare | bool | None = Field(None, alias="if")
    dedup_key: Bare | None = None
    enabled: bool = True

    timezone: str | None = None
    anchor: str | None = None
    jitter: Duration | None = None
    catch_up: Literal["none", "latest", "all"] | None = None
    window: Duration | None = None
    max: Annotated[int, Field(ge=1)] | None = None
    starts_at: str | None = None
    ends_at: str | None = None
    stop_after: Annotated[int, Field(ge=1)] | None = None
    hours: HoursSpec | None = None

    def kinds(self) -> tuple[str, ...]:
        """The kind keys this trigger has; a valid one has exactly one."""
        return tuple(kind for kind in KINDS if getattr(self, kind) is not None)
