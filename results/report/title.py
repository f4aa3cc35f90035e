"""What was measured, and on what: the heading of a report."""

from __future__ import annotations

import re
from collections.abc import Sequence

from results.formats import plural
from results.records.sweep import RecordedSweep

LONGEST = 80
LEFT_OUT = re.compile(r"\((R|TM|tm)\)| \d+-Core Processor| Processor$| CPU @.*| \(family .*\)| with .* Graphics")


def title(sweeps: Sequence[RecordedSweep]) -> str:
    """The program or problem and the machine, of all sweeps; each said once."""
    problems = list(dict.fromkeys(_problem(sweep) for sweep in sweeps))
    if len(problems) == 1:
        return f"{problems[0]}, on {' and '.join(dict.fromkeys(_machine(sweep) for sweep in sweeps))}"
    return " and ".join(dict.fromkeys(title([sweep]) for sweep in sweeps))


def _problem(sweep: RecordedSweep) -> str:
    found = list(dict.fromkeys(launch.experiment.title(launch.run) for launch in sweep.launches))
    if not found:
        return "Nothing measured"
    more = f" and {plural(len(found) - 1, 'other')}" if len(found) > 1 else ""
    text = found[0] if len(found[0]) <= LONGEST else f"{found[0][:LONGEST]}…"
    return f"{text}{more}"


def _machine(sweep: RecordedSweep) -> str:
    """Nodes, slots and processors, and the cluster's name unless it is this machine."""
    nodes = [node for node in sweep.inventory.get("nodes") or [] if isinstance(node, dict)]
    slots = list(dict.fromkeys(str(node.get("slots", "")) for node in nodes))
    name = str(sweep.inventory.get("cluster", ""))
    models = {str(machine.details.get("cpu_model") or "") for launch in sweep.launches for machine in launch.machines}
    processors = " and ".join(sorted(LEFT_OUT.sub("", model).strip() for model in models - {""}))
    parts = [
        name if name != "local" or not processors else "",
        plural(len(nodes), "node") if len(nodes) > 1 else "",
        processors,
        (plural(int(slots[0]), "slot") if slots[0].isdigit() else "") if len(slots) == 1 else "",
    ]
    told = ", ".join(part for part in parts if part) or "an unknown machine"
    return f"{told} each" if len(nodes) > 1 and parts[-1] else told
