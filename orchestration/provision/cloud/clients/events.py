"""What Pulumi's engine says while it works: what it changes, what is done, what is wrong, what the stack puts out."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from orchestration.provision.cloud.clients import remedies

CHANGE, ANEW = "change", "make anew"
CHANGES = {
    "create": "create",
    "update": CHANGE,
    "delete": "delete",
    "create-replacement": ANEW,
    "delete-replaced": "delete the old",
}
STACK = "pulumi:pulumi:Stack"
OURS = "gcp:"  # what bills or lets somebody in; components and providers are Pulumi's own


PROTECTED = "marked for protection"  # in the engine's words


@dataclass(frozen=True)
class Difference:
    """A property that becomes another; `path` as the engine writes it, `replaces` where the resource goes for it."""

    path: str  # networkInterfaces[0].networkIp
    old: Any
    new: Any
    replaces: bool

    @property
    def plain(self) -> str:
        """The path without positions in lists."""
        return re.sub(r"\[\d+\]", "", self.path)


@dataclass(frozen=True)
class Change:
    """One thing that the engine does, or would do."""

    what: str
    kind: str  # gcp:compute/instance:Instance
    name: str
    urn: str = ""
    differences: tuple[Difference, ...] = ()

    @property
    def noun(self) -> str:
        """`Instance` for gcp:compute/instance:Instance."""
        return self.kind.rpartition(":")[2]

    def __str__(self) -> str:
        return f"{self.what} {self.noun} {self.name}"


@dataclass
class Heard:
    """Everything that one operation of the engine said; it speaks from a thread of its own."""

    on_change: Callable[[Change], None] = lambda _: None
    planned: list[Change] = field(default_factory=list)
    done: list[Change] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def event(self, event: Any) -> None:
        """Takes one of pulumi.automation's EngineEvents."""
        with self._lock:
            if event.resource_pre_event is not None:
                self.planned += _change(event.resource_pre_event.metadata)
            if event.res_outputs_event is not None:
                self._finished(event.res_outputs_event.metadata)
            if event.diagnostic_event is not None:
                self._diagnostic(event.diagnostic_event)
            if event.policy_event is not None:
                self._policy(event.policy_event)

    def fault(self, otherwise: str) -> str:
        """The one line that says what stopped the engine: a policy's first, for it makes the program stumble too."""
        said = [*self.policies, *self.errors]
        return said[0] if said else remedies.explained(otherwise)

    def _finished(self, step: Any) -> None:
        if step.type == STACK and step.new is not None:
            self.outputs = dict(step.new.outputs or {})
        for change in _change(step):
            self.done.append(change)
            self.on_change(change)

    def _diagnostic(self, diagnostic: Any) -> None:
        line = remedies.one_line(diagnostic.message)
        kept = {"error": self.errors, "warning": self.warnings}.get(diagnostic.severity)
        if kept is None or not line:
            return
        name = _name(diagnostic.urn or "")
        told = remedies.explained(f"{name}: {line}" if name and _kind(diagnostic.urn) != STACK else line)
        if told not in kept:
            kept.append(told)

    def _policy(self, policy: Any) -> None:
        always, _, now = policy.message.partition("\n")  # what the policy is for, then what breaks it
        line = f"policy {policy.policy_name}: {remedies.one_line(now if now.strip() else always)}"
        name = _name(policy.resource_urn or "")
        told = f"{name}: {line}" if name else line
        (self.policies if policy.enforcement_level == "mandatory" else self.warnings).append(told)


def _change(step: Any) -> list[Change]:
    what = CHANGES.get(str(getattr(step.op, "value", step.op)))
    if not what or not step.type.startswith(OURS):
        return []
    return [Change(what, step.type, _name(step.urn), step.urn, tuple(_differences(step)))]


def _differences(step: Any) -> Iterator[Difference]:
    """Of the step's detailed difference; where the provider gave none, of the properties that it replaces for."""
    old, new = (getattr(state, "inputs", None) or {} for state in (step.old, step.new))
    detailed = step.detailed_diff or {}
    for path, difference in detailed.items():
        kind = str(getattr(difference.diff_kind, "value", difference.diff_kind))
        yield Difference(path, _at(old, path), _at(new, path), kind.endswith("replace"))
    if not detailed:
        for key in step.keys or ():
            yield Difference(key, old.get(key), new.get(key), replaces=True)


def _at(value: Any, path: str) -> Any:
    """What lies at a path such as a[0].b; None where nothing does."""
    for word in re.findall(r"[^.\[\]\"]+", path):
        if isinstance(value, list):
            value = value[int(word)] if word.isdigit() and int(word) < len(value) else None
        else:
            value = value.get(word) if isinstance(value, dict) else None
    return value


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


def _kind(urn: str) -> str:
    """The innermost type in urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME."""
    words = urn.split("::")
    return words[-2].rpartition("$")[2] if len(words) >= 4 else ""
