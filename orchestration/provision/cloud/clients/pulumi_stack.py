"""One Pulumi stack of the program in the project's root, driven through Pulumi's Automation API."""

from __future__ import annotations

import re
import shutil
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from orchestration.errors import Refusal
from orchestration.provision.cloud.clients import remedies
from orchestration.provision.cloud.clients.events import OURS, Heard

INSTALL = "install it ('curl -fsSL https://get.pulumi.com | sh'), log in once with 'pulumi login'"
INSTANCE = "gcp:compute/instance:Instance"
LOCK = re.compile(r"created by (\S+)@(\S+) \(pid (\d+)\) at (\S+)")
Result = TypeVar("Result")


class StackError(Exception):
    """The engine did not do it; the message is one line."""


class InterruptedUpError(StackError):
    """A person ended the operation; the engine finished what it had begun."""


@dataclass(frozen=True)
class Lock:
    """Who holds the stack: an operation at work, or one that was killed."""

    user: str
    host: str
    pid: int
    since: str  # ISO 8601


class LockedError(StackError):
    """Another operation holds the stack, or was killed while it did; `locks` is empty where nobody is named."""

    def __init__(self, message: str, locks: list[Lock]) -> None:
        super().__init__(message)
        self.locks = locks


@dataclass(frozen=True)
class Held:
    """What the stack's state holds: how many things at Google, what was begun and never ended, and since when.

    `begun` is what Google may have and the state not: kind and name, as Google's resources are listed. `instances` are
    the nodes' URNs by Google's name.
    """

    resources: int
    pending: tuple[str, ...]
    since: str | None
    begun: frozenset[tuple[str, str]] = frozenset()
    instances: Mapping[str, str] = field(default_factory=dict)


class Stack(Protocol):
    """Operations raise StackError, LockedError, InterruptedUpError; `heard` follows the engine's events."""

    def held(self) -> Held: ...

    def outputs(self) -> dict[str, Any]: ...

    def preview(self, heard: Heard) -> None: ...

    def refresh(self, heard: Heard, forget_pending: bool = False) -> None: ...

    def up(self, heard: Heard, replace: Sequence[str] = ()) -> None:
        """`replace`: URNs of what is made anew even where it need not be."""

    def unprotect(self) -> None:
        """Lifts the protection of everything, until the next `up` sets it again."""

    def destroy(self, heard: Heard) -> None: ...

    def unlock(self) -> None: ...

    def set(self, key: str, value: str) -> None: ...

    def remove(self) -> None:
        """The stack itself, with its settings; it must hold nothing."""


class Pulumi:
    """The real one."""

    def __init__(self, stack: Any, say: Callable[[str], None]) -> None:
        self._stack = stack
        self._say = say

    def held(self) -> Held:
        document = self._asked(self._stack.export_stack).deployment or {}
        return held_in(document)

    def outputs(self) -> dict[str, Any]:
        found = self._asked(self._stack.outputs)
        return {key: item.value for key, item in found.items()}

    def preview(self, heard: Heard) -> None:
        self._carried(heard, lambda: self._stack.preview(on_event=heard.event, color="never"))

    def refresh(self, heard: Heard, forget_pending: bool = False) -> None:
        self._carried(
            heard,
            lambda: self._stack.refresh(
                on_event=heard.event, color="never", clear_pending_creates=forget_pending, show_secrets=False
            ),
        )

    def up(self, heard: Heard, replace: Sequence[str] = ()) -> None:
        anew = list(replace) or None
        self._carried(
            heard,
            lambda: self._stack.up(on_event=heard.event, color="never", show_secrets=False, replace=anew),
        )

    def unprotect(self) -> None:
        space = self._stack.workspace
        words = ["state", "unprotect", "--all", "--yes", "--stack", self._stack.name]
        self._asked(lambda: space.pulumi_command.run(words, space.work_dir, dict(space.env_vars)))

    def destroy(self, heard: Heard) -> None:
        self._carried(heard, lambda: self._stack.destroy(on_event=heard.event, color="never", show_secrets=False))

    def unlock(self) -> None:
        self._asked(self._stack.cancel)

    def set(self, key: str, value: str) -> None:
        from pulumi.automation import ConfigValue

        self._asked(lambda: self._stack.set_config(key, ConfigValue(value)))

    def remove(self) -> None:
        self._asked(lambda: self._stack.workspace.remove_stack(self._stack.name))

    def _asked(self, action: Callable[[], Result]) -> Result:
        return _told(Heard(), action)

    def _carried(self, heard: Heard, action: Callable[[], object]) -> None:
        """An operation of minutes. Ctrl-C reaches the engine too, which ends what it began and unlocks the stack."""
        ended = _later(lambda: _told(heard, action))
        interrupted = False
        while not ended.over.is_set():
            try:
                ended.over.wait(
                    0.2
                )  # not the thread's join: before Python 3.13 Ctrl-C in it makes the thread look ended
            except KeyboardInterrupt:
                if interrupted:
                    raise
                interrupted = True
                self._say("interrupted: the engine ends what it began (again Ctrl-C leaves it alone with that)")
        if interrupted:
            raise InterruptedUpError("interrupted") from ended.error
        if ended.error is not None:
            raise ended.error


@dataclass
class _Later:
    over: threading.Event
    error: BaseException | None = None


def _later(action: Callable[[], object]) -> _Later:
    """The action in a thread of its own."""
    later = _Later(threading.Event())

    def body() -> None:
        try:
            action()
        except BaseException as error:
            later.error = error
        finally:
            later.over.set()

    threading.Thread(target=body, daemon=True).start()
    return later


def check_installed(environment: Mapping[str, str]) -> None:
    """Raises Refusal where the program `pulumi` is missing."""
    if shutil.which("pulumi", path=environment.get("PATH")) is None:
        raise Refusal(f"the program 'pulumi' is not on PATH: {INSTALL}")


def select(root: Path, name: str, environment: Mapping[str, str], say: Callable[[str], None], create: bool) -> Pulumi:
    """The stack of that name, made where there is none if `create`. Raises Refusal, StackError."""
    check_installed(environment)
    from pulumi import automation

    # an engine that is killed ends its stream of events: we say so ourselves
    warnings.filterwarnings("ignore", message="Error in event stream", module="pulumi.automation")

    def found() -> Any:
        workspace = automation.LocalWorkspace(work_dir=str(root))
        return (automation.Stack.create_or_select if create else automation.Stack.select)(name, workspace)

    try:
        return Pulumi(_told(Heard(), found), say)
    except MissingError as error:
        raise Refusal(
            f"stack {name} is not where Pulumi keeps its state now: 'fab up --cluster {name}' makes it; if it lies "
            f"elsewhere, 'pulumi login' there; 'fab down --orphans --cluster {name}' needs no state"
        ) from error


class MissingError(StackError):
    """There is no such stack where Pulumi keeps its state."""


def _told(heard: Heard, action: Callable[[], Result]) -> Result:
    """What the Automation API raises, as one line."""
    from pulumi.automation import errors

    try:
        return action()
    except errors.StackNotFoundError as error:
        raise MissingError(heard.fault(_stderr(error))) from error
    except errors.ConcurrentUpdateError as error:
        raise LockedError(remedies.one_line(_stderr(error)), locks_in(str(error))) from error
    except (errors.CommandError, errors.InvalidVersionError) as error:
        raise StackError(heard.fault(_stderr(error))) from error
    except (OSError, RuntimeError, ValueError) as error:
        raise StackError(heard.fault(str(error))) from error


def _stderr(error: Exception) -> str:
    """The `error:` line of a command that failed; else its exit status and the last that it printed."""
    found = re.search(r"\n code: (-?\d+)\n stdout: (.*)\n stderr: (.*)\Z", str(error), re.DOTALL)
    if found is None:
        return str(error)
    lines = [line.strip() for line in f"{found[2]}\n{found[3]}".splitlines() if line.strip()]
    marked = [line for line in lines if line.startswith("error: ")]
    if marked:
        return marked[0]
    return f"the engine ended with status {found[1]} and says no more than {(lines or ['nothing'])[-1]!r}"


def locks_in(text: str) -> list[Lock]:
    """The locks that the engine's refusal names."""
    return [Lock(user, host, int(pid), since) for user, host, pid, since in LOCK.findall(text)]


def held_in(deployment: Mapping[str, Any]) -> Held:
    """What an exported deployment holds."""
    resources = [item for item in deployment.get("resources") or [] if str(item.get("type", "")).startswith(OURS)]
    pending, begun = [], set()
    for item in deployment.get("pending_operations") or []:
        resource = item.get("resource") or {}
        urn = str(resource.get("urn", ""))
        pending.append(f"{item.get('type')} {urn.rpartition('::')[2]}")
        if item.get("type") == "creating":
            noun = str(resource.get("type", "")).rpartition(":")[2]
            kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", noun).lower()  # resource_policy
            begun.add((kind, str((resource.get("inputs") or {}).get("name", ""))))
    since = None
    with suppress(AttributeError):
        since = (deployment.get("manifest") or {}).get("time")
    urns = [str(item.get("urn")) for item in resources if str(item.get("type")) == INSTANCE]
    nodes = {urn.rpartition("::")[2]: urn for urn in urns}
    return Held(len(resources), tuple(pending), since, frozenset(begun), nodes)
