"""Forges sweeps from a recorded one: each function here is something that a person might do to look better.

A forgery is a copy of a recorded sweep, trimmed to few ranks, whose records and ledger are open to changes.
"""

from __future__ import annotations

import copy
import itertools
import json
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.results.conftest import write_json

MEASURED = Path(__file__).parents[3] / "results" / "measured" / "16-core"
MEASUREMENT = ("warmup_repeats", "repeats", "memory", "mpi_calls", "clock_agreement", "machines")
Record = dict[str, Any]


@dataclass
class Forgery:
    """A recorded sweep in `folder`, its `records` by run id and the `events` of its ledger, as they will be written."""

    folder: Path
    records: dict[str, Record] = field(default_factory=dict)
    events: list[Record] = field(default_factory=list)

    def launches(self, *, least_ranks: int = 1, most_ranks: int = 1000) -> Iterator[Record]:
        """Records of so many ranks, in the order of their runs."""
        for record in sorted(self.records.values(), key=lambda record: record["sequence"]):
            if least_ranks <= record["run"]["ranks"] <= most_ranks:
                yield record

    def pairs(self) -> Iterator[tuple[Record, Record]]:
        """Two launches of every point."""
        for first in self.launches():
            for second in self.launches():
                if point_of(first) == point_of(second) and first["launch"] < second["launch"]:
                    yield first, second

    def of(self, kind: str) -> list[Record]:
        """Events of the ledger."""
        return [event for event in self.events if event["event"] == kind]

    def of_run(self, run_id: str) -> list[Record]:
        return [event for event in self.events if event.get("run_id") == run_id]

    def forget(self, run_ids: set[str]) -> None:
        """Removes runs from records and ledger, as if they had never been planned."""
        self.records = {run_id: record for run_id, record in self.records.items() if run_id not in run_ids}
        self.events = [event for event in self.events if event.get("run_id") not in run_ids]
        for event in self.of("planned"):
            event["runs"] = [run_id for run_id in event["runs"] if run_id not in run_ids]
        self.count()

    def count(self) -> None:
        """Makes the ledger's last counts those of the records."""
        for event in self.of("finished"):
            event["outcomes"] = dict(Counter(record["outcome"] for record in self.records.values()))

    def write(self) -> Path:
        shutil.rmtree(self.folder / "records")
        (self.folder / "records").mkdir()
        for run_id, record in self.records.items():
            write_json(self.folder / "records" / f"{run_id}.json", record)
        (self.folder / "ledger.jsonl").write_text("".join(json.dumps(event) + "\n" for event in self.events))
        return self.folder


def recorded(name: str, folder: Path, most_ranks: int = 4) -> Forgery:
    """A copy of a recorded sweep without the runs on more ranks."""
    shutil.copytree(MEASURED / name, folder)
    lines = (folder / "ledger.jsonl").read_text().splitlines()
    found = Forgery(folder, read_records(folder), [json.loads(line) for line in lines])
    found.forget({record["run_id"] for record in found.launches(least_ranks=most_ranks + 1)})
    return found


def read_records(folder: Path) -> dict[str, Record]:
    return {path.stem: json.loads(path.read_text()) for path in sorted((folder / "records").glob("*.json"))}


def point_of(record: Record) -> str:
    return json.dumps({**record["run"], "launch": 0}, sort_keys=True)


def repeats_of(record: Record) -> list[Record]:
    return [*record["warmup_repeats"], *record["repeats"]]


# Launches and repeats
def copy_launches(forgery: Forgery) -> None:
    """The first launch of each point stands for the others."""
    for first, second in forgery.pairs():
        second.update({key: copy.deepcopy(first[key]) for key in MEASUREMENT})


def reuse_records(forgery: Forgery) -> None:
    """Records of the same runs from an earlier sweep."""
    earlier = read_records(MEASURED / "movements")
    shared = forgery.records.keys() & earlier.keys()
    assert shared
    forgery.records.update({run_id: earlier[run_id] for run_id in shared})


def reuse_records_of_a_cluster(forgery: Forgery) -> None:
    """The same with the right numbers, from a head whose clock is nobody's."""
    numbers = {run_id: record["sequence"] for run_id, record in forgery.records.items()}
    reuse_records(forgery)
    for run_id, record in forgery.records.items():
        record["sequence"] = numbers[run_id]
    path = forgery.folder / "inventory.json"
    write_json(path, json.loads(path.read_text()) | {"launcher": "ssh"})


def delete_slow_launches(forgery: Forgery) -> None:
    for run_id in slow_launches(forgery):
        del forgery.records[run_id]
    forgery.count()


def forget_slow_launches(forgery: Forgery) -> None:
    """The same, and their lines in the ledger too."""
    forgery.forget(slow_launches(forgery))


def slow_launches(forgery: Forgery) -> set[str]:
    pairs = [*forgery.pairs()]
    return {max(pair, key=lambda record: float(record["repeats"][0]["forward_s"]))["run_id"] for pair in pairs}


def repeat_until_fast(forgery: Forgery) -> None:
    """Three ends of one run, each ok: the last is kept."""
    run_id = next(iter(forgery.records))
    forgery.records[run_id]["attempt"] = 3
    again = forgery.of_run(run_id)
    place = forgery.events.index(again[0])
    forgery.events[place:place] = [*again, *again]


def break_off_until_fast(forgery: Forgery) -> None:
    """A run ended by hand while it looked slow, four times."""
    run_id = next(iter(forgery.records))
    started = forgery.of_run(run_id)[0]
    place = forgery.events.index(started)
    broken = [started, {**started, "event": "interrupted"}]
    forgery.events[place:place] = broken * 4


def keep_best_repeat(forgery: Forgery) -> None:
    for record in forgery.launches():
        record["repeats"] = [best_repeat(record)]


def copy_best_repeat(forgery: Forgery) -> None:
    for record in forgery.launches():
        record["repeats"] = [copy.deepcopy(best_repeat(record)) for _ in record["repeats"]]


def best_repeat(record: Record) -> Record:
    best: Record = min(record["repeats"], key=lambda repeat: float(repeat["forward_s"]))
    return best


# Machines and dates
def rename_baselines_node(forgery: Forgery) -> None:
    for record in forgery.launches(most_ranks=1):
        record["machines"][0]["node"] = "slow"


def take_baseline_elsewhere(forgery: Forgery) -> None:
    """One-rank runs from an older processor under the same name."""
    for record in forgery.launches(most_ranks=1):
        record["machines"][0] |= {"cpu_model": "Older CPU", "boot_id": "another"}


def take_baseline_elsewhere_without_facts(forgery: Forgery) -> None:
    take_baseline_elsewhere(forgery)
    for event in forgery.of("planned"):
        del event["facts"]


def spread_over_slurm_jobs(forgery: Forgery) -> None:
    """No forgery: a sweep of two Slurm jobs, whose nodes are of one kind, and have other names and boots."""
    path = forgery.folder / "inventory.json"
    inventory = json.loads(path.read_text())
    path.write_text(json.dumps(inventory | {"executor": "slurm", "slurm": {"job": 7, "partition": "main"}}))
    for event in forgery.of("planned"):
        kept = {f"main-1.{name.rpartition('.')[2]}": value for name, value in event["facts"].items()}
        whole = round(kept["main-1.memory_bytes"] / 2**30) * 2**30
        event["facts"] = kept | {
            "main-1.node": "main-1",
            "main-1.boot_id": "machine 1",
            "main-1.memory_bytes": whole,
        }
    for record in forgery.launches():
        node = f"node{1 + record['launch'] % 2}"
        record["machines"][0] |= {"node": node, "boot_id": f"boot of {node}"}


def take_another_kind_of_node(forgery: Forgery) -> None:
    """One-rank runs of a Slurm job whose nodes are older."""
    spread_over_slurm_jobs(forgery)
    for record in forgery.launches(most_ranks=1):
        record["machines"][0]["cpu_model"] = "Older CPU"


def change_boot(forgery: Forgery) -> None:
    for record in forgery.launches(most_ranks=1):
        record["machines"][0]["boot_id"] = "another"


def change_code(forgery: Forgery) -> None:
    for event in forgery.of("planned"):
        event["workload"] = "f" * 64


def shift(days: int, *, records: bool = True, ledger: bool = True) -> Callable[[Forgery], None]:
    """All dates of the records, of the ledger, or of both."""

    def later(utc: str) -> str:
        return (datetime.fromisoformat(utc) + timedelta(days=days)).isoformat()

    def change(forgery: Forgery) -> None:
        for record in forgery.launches() if records else ():
            record |= {key: later(record[key]) for key in ("started_utc", "ended_utc")}
        for event in forgery.events if ledger else ():
            event["utc"] = later(event["utc"])

    return change


def swap_dates(forgery: Forgery) -> None:
    """Ends before beginnings."""
    for record in forgery.launches():
        record["started_utc"], record["ended_utc"] = record["ended_utc"], record["started_utc"]


def overlap(forgery: Forgery) -> None:
    """Two launches at once, each on half of the machine."""
    first, second = [*forgery.launches()][:2]
    second |= {key: first[key] for key in ("started_utc", "ended_utc")}


# Ledger
def drop_ledger(forgery: Forgery) -> None:
    forgery.events = []


def drop_events(kind: str) -> Callable[[Forgery], None]:
    def change(forgery: Forgery) -> None:
        forgery.events = [event for event in forgery.events if event["event"] != kind]

    return change


def change_outcome(forgery: Forgery) -> None:
    """A wrong answer in the ledger is ok in its record."""
    forgery.of("ended")[0]["outcome"] = "wrong_answer"


def same_number(forgery: Forgery) -> None:
    first, second = [*forgery.launches()][:2]
    second["sequence"] = first["sequence"]


def slip_in_a_record(forgery: Forgery) -> None:
    """A record that was never planned."""
    run_id = next(iter(forgery.records))
    forgery.events = [event for event in forgery.events if event.get("run_id") != run_id]
    for event in forgery.of("planned"):
        event["runs"].remove(run_id)


def lengthen_a_run(forgery: Forgery) -> None:
    """A run that lasted longer by its record than by the ledger."""
    last = [*forgery.launches()][-1]
    last["ended_utc"] = (datetime.fromisoformat(last["ended_utc"]) + timedelta(minutes=5)).isoformat()


# Damage

VALUES = (None, "x", -1, 0, [], {}, 1e308, 10**30, True, "2026-01-01", [1, 2], {"a": 1}, -5.5)


def damage(forgery: Forgery, rng: random.Random) -> None:
    """One value of a record or of the ledger is lost, or is anything."""
    document: Any = forgery.events if rng.random() < 0.25 else rng.choice([*forgery.records.values()])
    whole = len(list(_places(document)))
    inner, key = next(itertools.islice(_places(document), rng.randrange(whole), None))
    if rng.random() < 0.2:
        del inner[key]
    else:
        inner[key] = rng.choice(VALUES)


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every value of a document, by what holds it and its key there; what lies near the top counts twice."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in list(items):
        yield document, key
        if isinstance(value, (dict, list)):
            yield document, key
            yield from _places(value)
