"""The audit of the published tables in three sentences, with the numbers that they rest on."""

from __future__ import annotations

from results.audit import gates
from results.audit.paper import hypotheses, printed, published
from results.audit.paper.audit import ClusterEvidence, PublishedAudit
from results.formats import number, plural


def sentences(made: PublishedAudit) -> tuple[str, str, str]:
    """What the times cannot be, what they and the memory follow instead, and what that leaves."""
    below = [finding for finding in printed.findings(published.document()) if finding.gate == gates.SHARE]
    several = printed.tested(published.document())[gates.SHARE]
    unexplained = plural(len(made.audit.unexplained), "thing")
    return (
        f"{len(below)} of the {several} published times on several ranks are shorter than the work left to each rank "
        "takes at the one-rank rate: together they cannot be times of the whole computation.",
        _instead(made),
        "It is a slip that many programs have had, and it means that these speedups do not show how the convolution "
        f"scales; {unexplained} that it does not account for stand below as unexplained.",
    )


def _instead(made: PublishedAudit) -> str:
    found = [part for evidence in made.evidence for part in _parts(evidence)]
    told = f"They follow a batch divided by the number of ranks twice: {'; '.join(found)}"
    read = [each for each in made.audit.findings if (each.grade, each.gate) == (gates.CODE, gates.SHARE)]
    return f"{told}; the public code ({read[0].evidence[0]}) divides it twice." if read else f"{told}."


def _parts(evidence: ClusterEvidence) -> list[str]:
    """What decides on one cluster."""
    found = []
    best = evidence.work[0]
    if best.name != "B/N" and evidence.work_separated:
        within = f"{100 * best.worst_error:.1f} %"
        found.append(f"on the {evidence.cluster} cluster the times fit {best.name} images a rank within {within}")
    memory = evidence.memory[0]
    if memory.name == hypotheses.TWICE and evidence.memory_separated:
        within = number(memory.worst_mib, 2)
        rows = len(evidence.memory_rows)
        found.append(f"on the {evidence.cluster} cluster the memory of all {rows} runs fits it within {within} MiB")
    return found
