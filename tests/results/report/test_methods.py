"""The methods to paste state what the records hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from results.report import methods
from tests.results.conftest import ProgramSweep


def test_machine_software_placement_launches_intervals_and_checks_are_stated(full: Any) -> None:
    text = methods.markdown([full.read()])
    for words in (
        "We measured: 3 x 3 convolution of 64 x 64 images, 3 to 3 channels, on Synthetic CPU, 4 slots.",
        "1 node: Synthetic CPU, 8 cores and 16 threads, 16 GiB of memory, Linux 6.1.",
        "Software: Open MPI v5.0.11, Python 3.11.7, numpy 2.4.6, openblas 0.3.",
        "binding: none; threads a rank: 1.",
        "Ranks on 1 node: 1, 2, 4, 8, 16.",
        "Series strong: strong scaling of scatter-gather with numpy, serial with numpy; B = 16; speedup is T1 / TN",
        "Series weak: weak scaling",
        "Launches of a point, each a new start of all ranks: 1 to 3;",
        "Timed repeats in a launch: 3, after 1 untimed",
        "is a 95% interval over launches",
        "every answer was right",
        "1 skipped",
        "Marked oversubscribed",
        "Measured by convscale (code dddddddddddddddd, commit cccccccccccc)",
    ):
        assert words in text, words


def test_a_program_states_what_its_metric_is_and_what_started_it(tmp_path: Path) -> None:
    maker = ProgramSweep(tmp_path)
    maker.add(1, 1.0)
    text = methods.markdown([maker.read()])
    assert "Ranks were started by openmpi5; binding: core; threads a rank: 1." in text
    assert "No metric is the headline" in text
    assert "repeats in a launch" not in text


def test_what_comes_from_records_is_text(maker: Any) -> None:
    def hostile(record: dict[str, Any]) -> None:
        for machine in record["machines"]:
            machine.update(cpu_model="<script>alert(1)</script> *[a](javascript:x)*")

    maker.add_strong(counts=(1, 2), change=hostile)
    text = methods.markdown([maker.read()])
    assert "<script" not in text
    assert "](" not in text.replace("\\](", "")


def test_several_sweeps_have_a_heading_each(make_maker: Any) -> None:
    sweeps = []
    for name in ("one", "two"):
        maker = make_maker(name)
        maker.add_strong(counts=(1, 2))
        sweeps.append(maker.read())
    assert [line for line in methods.markdown(sweeps).splitlines() if line.startswith("#")] == [
        "# Methods",
        "## one",
        "## two",
    ]


def test_the_stores_that_were_found_faster_are_stated(maker: Any) -> None:
    def tried(ordinary_s: float, taken: str) -> Any:
        return lambda record: record.update(
            stores={"taken": taken, "convolve_s": {"ordinary": ordinary_s, "non-temporal": 1.0}}
        )

    maker.add("strong", ranks=1, change=tried(0.5, "ordinary"))
    maker.add("strong", ranks=2, change=tried(0.8, "ordinary"))
    maker.add("strong", ranks=4, change=tried(2.0, "non-temporal"))
    text = methods.markdown([maker.read()])
    assert "non-temporal ones at 1 point; others took 2.00 to 2.00 of their time" in text
    assert "ordinary ones at 2 points; others took 1.25 to 2.00 of their time" in text


def test_a_record_whose_stores_cannot_be_is_not_read(maker: Any) -> None:
    maker.add("strong", ranks=1, change=lambda record: record.update(stores={"taken": "x", "convolve_s": {"y": 1.0}}))
    assert any("not tried: x" in problem for problem in maker.read().problems)
