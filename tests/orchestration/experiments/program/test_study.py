"""Studies of a program, and what is refused of them, each in one line."""

from pathlib import Path
from typing import Any

import pytest

from orchestration import experiments
from orchestration.errors import Refusal
from orchestration.experiments.program import expressions, files, plan, study
from orchestration.experiments.program.experiment import ProgramExperiment
from orchestration.experiments.program.files import Archive
from orchestration.jobs.launchers.placement import NodeCpus
from orchestration.planning.study import LoadedStudy, Overrides
from tests.orchestration.support import make_inventory
from workload.record.run import Workload

BASE = """
schema_version = 1
name = "heat"
launches = 2
[program]
command = ["./heat", "{n}", "100"]
[program.parameters]
n = 64
[program.metrics.time_s]
pattern = "Elapsed: {number}"
headline = true
[[series]]
name = "strong"
scaling = "strong"
ranks = [1, 2, 4]
"""


def load(folder: Path, text: str = BASE, **values: Any) -> LoadedStudy:
    (folder / "heat.toml").write_text(text)
    return experiments.load(str(folder / "heat.toml"), Overrides(values=values))[1]


def make(folder: Path, text: str = BASE, nodes: int = 1, slots: int = 4) -> Any:
    loaded = load(folder, text)
    context = plan.PlanContext(
        make_inventory(slots, nodes), NodeCpus(4, 4), (), Archive(folder / "a.tar", "d" * 64, {}), {},
        lambda texts: files.pack_texts(texts, folder), "openmpi5", None, None, {}, Workload("program"),
    )  # fmt: skip
    found = loaded.study
    assert isinstance(found, study.ProgramStudy)
    return plan.make(found, "heat.toml", context)


def test_points_have_their_words_and_launches(tmp_path: Path) -> None:
    made = make(tmp_path)
    assert sorted((item.run.ranks, item.run.launch) for item in made.runs) == [
        (r, n) for r in (1, 2, 4) for n in (0, 1)
    ]
    assert {item.cells[0] for item in made.runs} == {"./heat 64 100"}


def test_the_memory_that_a_study_states_is_predicted_of_each_rank(tmp_path: Path) -> None:
    assert {item.peak_bytes for item in make(tmp_path).runs} == {None}
    text = BASE.replace("[program.parameters]", 'memory_bytes = "8*n*n/ranks"\n[program.parameters]')
    assert {item.run.ranks: item.peak_bytes for item in make(tmp_path, text).runs} == {
        1: (32768,), 2: (16384,) * 2, 4: (8192,) * 4,
    }  # fmt: skip
    own = make(tmp_path, text + "memory_bytes = 100\n").runs
    assert {item.peak_bytes for item in own if item.run.ranks == 2} == {(100, 100)}
    with pytest.raises(Refusal, match=r"memory_bytes = 8\*\(n-64\) is 0: give a positive number"):
        make(tmp_path, text.replace("8*n*n/ranks", "8*(n-64)"))
    ids = [[item.run.run_id for item in make(tmp_path, each).runs] for each in (BASE, text)]
    assert ids[0] == ids[1], "what a run is does not depend on what was known of it before"


def test_lists_are_crossed_and_expressions_follow_the_ranks(tmp_path: Path) -> None:
    made = make(tmp_path, BASE.replace("n = 64", 'n = "64*sqrt(ranks)"\nmode = ["a", "b"]').replace("strong", "weak"))
    values = {(item.run.ranks, item.run.parameters["mode"]): item.run.parameters["n"] for item in made.runs}
    assert values == {(r, m): n for r, n in ((1, 64), (2, 90.50966799187809), (4, 128)) for m in "ab"}
    assert {item.run.crossed for item in made.runs} == {("mode",)}


def test_nodes_and_ranks_per_node(tmp_path: Path) -> None:
    made = make(tmp_path, BASE.replace("ranks = [1, 2, 4]", "nodes = [1, 2]\nranks_per_node = [1, 4]"), nodes=2)
    found = {(item.run.ranks, item.run.nodes, item.run.ranks_per_node) for item in made.runs}
    assert found == {(1, 1, 1), (2, 2, 1), (4, 1, 4), (8, 2, 4)}


def test_ids_follow_content_and_not_names_of_folders(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    assert [x.run.run_id for x in make(tmp_path).runs] == [x.run.run_id for x in make(tmp_path / "b").runs]


def test_unequal_work_is_refused_unless_asked_for(tmp_path: Path) -> None:
    text = BASE.replace("strong", "weak").replace("[program.parameters]", 'size = "n*n"\n[program.parameters]')
    with pytest.raises(Refusal, match="the work per rank varies by 300%"):
        make(tmp_path, text)
    assert make(tmp_path, f"{text}uneven = true\n").runs
    even = text.replace("n = 64", 'n = "640*sqrt(ranks)"')
    assert any("work per rank" in note for note in make(tmp_path, even).notes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("{n}", "{m}"), "placeholder 'm' is unknown"),
        (("launches = 2", "repeats = 2"), "the word is launches"),
        (("Elapsed: {number}", "Elapsed"), "has no group"),
        (("Elapsed: {number}", "("), "no regular expression"),
        (("headline = true", 'headline = true\n[program.metrics.b]\npattern = "b {number}"\nheadline = true'), "both"),
        (('pattern = "Elapsed: {number}"', 'json = "a"'), "need the file"),
        (('pattern = "Elapsed: {number}"', ""), "one of pattern, json and csv"),
        (("n = 64", 'n = "64*rank()"'), "unknown"),
        (("n = 64", 'n = "2*m"\nm = "2*n"'), "need each other"),
        (("n = 64", "ranks = 64"), "given by convscale"),
        (("n = 64", "n = true"), "is no number, text or list"),
        (('command = ["./heat", "{n}", "100"]', "command = []"), "words of a command"),
        (("[program.parameters]", 'files = ["../x"]\n[program.parameters]'), "leaves the program's folder"),
        (("[program.parameters]", 'keep = ["/etc/x"]\n[program.parameters]'), "leaves the program's folder"),
        (("[program.parameters]", 'mpi = "lam"\n[program.parameters]'), "mpi 'lam' is unknown"),
        (("[program.parameters]", '[program.environment]\nA_TOKEN = "x"\n[program.parameters]'), "looks like a secret"),
        (("[[series]]", '[program.success]\nrequire = ["n =="]\n[[series]]'), "no arithmetic"),
        (("ranks = [1, 2, 4]", "ranks_per_node = [1]"), "ranks_per_node goes with nodes"),
        (("[program.parameters]", 'comand = "x"\n[program.parameters]'), "did you mean command"),
    ],
)  # fmt: skip
def test_bad_studies_are_one_line(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    with pytest.raises(Refusal, match=words) as refused:
        make(tmp_path, BASE.replace(*change))
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"parameter": ("n",)}, "is no NAME=VALUE"),
        ({"parameter": ("n=1", "n=2")}, "stands twice"),
        ({"metric": ("a=x {number}", "a=y {number}")}, "stands twice"),
        ({"metric": ("Elapsed",)}, "is no NAME=PATTERN"),
        ({"command": "./heat 'x"}, "close its quotes"),
        ({"batch": (4,)}, "which has none"),
    ],
)
def test_bad_flags_are_one_line(tmp_path: Path, values: dict[str, Any], words: str) -> None:
    with pytest.raises(Refusal, match=words):
        load(tmp_path, **values)


def test_flags_make_a_study(tmp_path: Path) -> None:
    values = {"command": "./heat {n} 100", "parameter": ("n=64,128",), "metric": ("higher:rate_gflops=R {number}",)}
    experiment = ProgramExperiment(tmp_path)
    file = experiment.improvised(Overrides(values=values))
    assert file is not None
    found = experiment.load(file, Overrides(values=values)).study
    assert isinstance(found, study.ProgramStudy)
    assert found.program.parameters == {"n": [64, 128]}
    assert found.program.metrics["rate_gflops"].model_dump(exclude_none=True) == {
        "pattern": "R {number}", "unit": "GFLOP/s", "higher": True, "headline": True,
    }  # fmt: skip
    assert experiment.improvised(Overrides()) is None


def test_files_are_packed_by_content(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "heat").write_text("x")
    (tmp_path / "p" / "heat").chmod(0o755)
    one = files.pack(tmp_path / "p", ["heat"], tmp_path / "c", large=False)
    (tmp_path / "p" / "heat").touch()
    assert files.pack(tmp_path / "p", ["heat"], tmp_path / "c", large=False).digest == one.digest
    assert files.named_files(tmp_path / "p", ["./heat", "{n}", "-x", "none"]) == ["heat"]
    (tmp_path / "p" / "out").symlink_to(tmp_path)
    (tmp_path / "secret").write_text("x")
    for name, words in (("none", "is not there"), ("out/secret", "a link out")):
        with pytest.raises(Refusal, match=words):
            files.pack(tmp_path / "p", [name], tmp_path / "c", large=False)
    (tmp_path / "p" / "big").touch()
    with (tmp_path / "p" / "big").open("r+b") as file:
        file.truncate(files.LIMIT_BYTES + 1)
    with pytest.raises(Refusal, match="set large = true"):
        files.pack(tmp_path / "p", ["big"], tmp_path / "c", large=False)


def test_placeholders() -> None:
    assert expressions.fill("{{n}} {n}", {"n": 3}) == "{n} 3"
