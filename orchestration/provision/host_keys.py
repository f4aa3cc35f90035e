"""The nodes' host keys shown to a person, who compares them with the nodes' own, and only then pinned."""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.clusters.inventory import Inventory
from orchestration.errors import Refusal
from orchestration.operator import Person
from orchestration.ssh import trust
from orchestration.ssh.known_hosts import reached_at
from orchestration.tables import TextTable

QUESTION = (
    "Compare with what 'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub' prints on each machine itself.\n"
    "Pin these keys? Type yes: "
)


def confirm(found: Inventory, fingerprints: Sequence[str], person: Person) -> None:
    """Pins the keys that the nodes show; where `fingerprints` are given, they are compared in the person's place.

    Raises Refusal where nothing is to be pinned, OSError.
    """
    shown = trust.scan(found)
    rows = [
        [item.node.name, "{}:{}".format(*reached_at(item.node)), (item.key or "").split(" ")[0], item.fingerprint,
         item.state.value]
        for item in shown
    ]  # fmt: skip
    person.show([TextTable(("node", "reached at", "key", "fingerprint", ""), rows)])
    for item in shown:
        if item.state is trust.KeyState.SILENT:
            person.say(f"{item.node.name} does not answer: {item.why}")
    if not trust.unpinned(shown):
        return
    if fingerprints:
        trust.expected(shown, fingerprints)
    elif person.ask is None or person.ask(QUESTION).strip() != "yes":
        raise Refusal("nothing is pinned: compare the fingerprints, then say yes, or give them by --expect")
    trust.pin(found, shown)
