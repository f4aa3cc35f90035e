"""What a study becomes on a cluster: counts, grids, order, binding, and what is skipped."""

import itertools
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.errors import Refusal
from orchestration.experiments.convolution import plan, study
from orchestration.jobs.launchers.placement import NodeCpus
from orchestration.planning.plan import (
    SHARED_MEMORY_BYTES_PER_RANK,
    rank_counts,
    shared_memory_bytes,
    skip_reason,
    spread,
)
from orchestration.planning.study import Series
from tests.orchestration.support import load_study, make_inventory
from workload.record.run import Images, Workload

HEAD = """
schema_version = 1
name = "s"
launches = 2
seed = 3
problem = { batch = 8, in_channels = 1, out_channels = 1, height = 8, width = 8, kernel_size = 3 }
"""
STRONG = '[[series]]\nname = "strong"\nscaling = "strong"\n'
WEAK = '[[series]]\nname = "weak"\nscaling = "weak"\nbatch_per_rank = 2\n'


def made(text, slots=4, cores=4, nodes=1, profile="local", head=HEAD, threads=None):
    document = tomllib.loads(head + text)
    return make(study.check(document, "s.toml"), make_inventory(slots, nodes, profile=profile), cores, threads)


def make(checked, inventory, cores, threads=None):
    pool = lambda *_: (Images("synthetic", "d"), Path("d.npy"))  # noqa: E731
    context = plan.ConvolutionContext(inventory, NodeCpus(cores, threads or cores), pool, Workload(digest="w"))
    return plan.make(checked, "s.toml", context)


def points(plan_, launch=0):
    return sorted(
        (item.run.ranks, item.run.problem.batch, item.run.movement) for item in plan_.runs if item.run.launch == launch
    )


@given(slots=st.integers(1, 300), oversubscribe=st.none() | st.integers(2, 8))
def test_slots_are_powers_of_two_below_then_the_slots(slots, oversubscribe):
    series = Series(name="s", scaling="strong", oversubscribe=oversubscribe)
    counts = rank_counts(series, slots)
    if oversubscribe:
        assert counts.pop() == slots * oversubscribe
    assert counts[-1] == slots
    assert all(a * 2 == b for a, b in itertools.pairwise(counts[:-1]))
    assert all(count < slots for count in counts[:-1])
    assert counts[0] == 1


def test_strong_gets_one_serial_run():
    assert points(made(STRONG)) == [
        (1, 8, "scatter-gather"),
        (1, 8, "serial"),
        (2, 8, "scatter-gather"),
        (4, 8, "scatter-gather"),
    ]


def test_weak_grows_the_batch():
    assert points(made(WEAK, slots=3)) == [(1, 2, "scatter-gather"), (2, 4, "scatter-gather"), (3, 6, "scatter-gather")]


def test_size_sweeps_the_batch_at_fixed_ranks():
    text = '[[series]]\nname = "size"\nscaling = "size"\nranks = [2]\nbatch = [2, 4, 6]\n'
    assert points(made(text)) == [(2, batch, "scatter-gather") for batch in (2, 4, 6)]


def test_a_run_that_two_series_want_is_done_once_under_both_names():
    found = made(WEAK + STRONG)
    both = [item for item in found.runs if len(item.series) == 2]
    assert [(item.run.ranks, item.run.problem.batch) for item in both] == [(4, 8)] * 2
    assert {item.series for item in both} == {("weak", "strong")}
    assert [item.sequence for item in found.runs] == list(range(len(found.runs)))


def test_backends_and_movements_are_crossed_and_serial_stays_at_one_rank():
    head = HEAD + 'backend = ["naive", "numpy"]\nmovement = ["serial", "scatter-gather"]\n'
    found = made(STRONG, slots=2, head=head)
    crossed = {(item.run.ranks, item.run.movement, item.run.backend) for item in found.runs}
    assert crossed == {(1, m, b) for m in ("serial", "scatter-gather") for b in ("naive", "numpy")} | {
        (2, "scatter-gather", b) for b in ("naive", "numpy")
    }


def test_a_gpu_and_its_movement_go_together_and_stand_against_serial_simd():
    head = HEAD + 'backend = ["simd", "cuda"]\nmovement = ["shared", "device"]\noptions = { chunk_bytes = 64 }\n'
    found = made(STRONG, slots=2, head=head)
    crossed = {(item.run.ranks, item.run.movement, item.run.backend) for item in found.runs}
    assert crossed == {(1, "serial", "simd")} | {
        (ranks, *pair) for ranks in (1, 2) for pair in (("shared", "simd"), ("device", "cuda"))
    }
    assert all(item.run.options == {"chunk_bytes": 64} for item in found.runs if item.run.movement == "device")
    alone = made(STRONG, slots=1, head=HEAD + 'backend = ["cuda"]\nmovement = ["device"]\n')
    assert {(item.run.movement, item.run.backend) for item in alone.runs} == {("serial", "simd"), ("device", "cuda")}


@pytest.mark.parametrize(
    ("backends", "movements", "words"),
    [
        ('"cuda"', '"scatter-gather"', "backend cuda computes on a GPU, .*: take movement device"),
        ('"simd", "cuda"', '"shared"', "backend cuda computes on a GPU, .*: take movement device"),
        ('"cuda"', '"device", "shared"', "backend cuda .* where movement shared brings nothing: take movement device"),
        ('"simd"', '"shared", "device"', "movement device brings x to a GPU, .*: take backend cuda"),
    ],
)
def test_a_gpu_without_its_movement_is_refused_and_the_other_way_round(backends, movements, words):
    head = HEAD + f"backend = [{backends}]\nmovement = [{movements}]\n"
    with pytest.raises(Refusal, match=rf"s\.toml, series strong: {words}"):
        made(STRONG, head=head)


def test_launch_follows_launch_each_in_an_order_of_its_own():
    found = made(STRONG + WEAK, slots=8, cores=8)
    launches = [item.run.launch for item in found.runs]
    assert launches == sorted(launches)
    orders = [[item.run.ranks for item in found.runs if item.run.launch == launch] for launch in (0, 1)]
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]
    assert [item.run.run_id for item in made(STRONG + WEAK, 8, 8).runs] == [item.run.run_id for item in found.runs]


def test_counts_that_do_not_fit_are_left_out_by_the_rule_and_refused_in_a_list():
    found = made(STRONG, slots=16, cores=16)
    assert max(item.run.ranks for item in found.runs) == 8
    assert any("16 ranks left out" in note and "only 8" in note for note in found.notes)
    with pytest.raises(Refusal, match=r"s\.toml, series strong: ranks = 16: grid\.batch = 16 parts"):
        made(STRONG + "ranks = [1, 16]\n")


def test_max_ranks_leaves_out_and_names():
    found = made(STRONG + "max_ranks = 2\noversubscribe = 2\n", slots=4)
    assert max(item.run.ranks for item in found.runs) == 2
    assert sum("max_ranks = 2" in note for note in found.notes) == 2


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ("batch = 0", "batch = 0 is out of range"),
        ("batch = -3", "batch = -3 is out of range"),
        ("height = 100000000000", "height = 100000000000 is out of range"),
        ("batch = 2000000000, height = 30000, width = 30000", "more than the"),
        ("kernel_size = 9", "kernel_size = 9 is larger than the 8 x 8 picture"),
    ],
)
def test_sizes_out_of_range_are_refused(sizes, words):
    with pytest.raises(Refusal, match=words) as refusal:
        made(STRONG + f"problem = {{ {sizes} }}\n")
    assert "s.toml, series strong" in str(refusal.value)


def test_what_a_series_lacks_is_named():
    with pytest.raises(Refusal, match="problem lacks batch"):
        made(STRONG, head=HEAD.replace("batch = 8, ", ""))
    with pytest.raises(Refusal, match="needs batch_per_rank"):
        made(WEAK.replace("batch_per_rank = 2", ""))
    with pytest.raises(Refusal, match="needs batch"):
        made('[[series]]\nname = "size"\nscaling = "size"\nranks = [2]\n')


def test_grids():
    assert made(STRONG + 'ranks = [4]\ngrid = { row = "ranks" }\n').runs[0].run.grid.ranks in (1, 4)
    with pytest.raises(Refusal, match="the grid has 2 parts, not 4"):
        made(STRONG + "ranks = [4]\ngrid = { row = 2 }\n")
    auto = made(STRONG + 'ranks = [4]\ngrid = "auto"\n')
    assert {item.run.grid.batch for item in auto.runs} == {1, 4}
    nine = max(made(STRONG + 'ranks = [9]\ngrid = "auto"\n').runs, key=lambda item: item.run.ranks).run.grid
    assert nine.ranks == 9
    assert nine.batch < 9  # 8 images: other axes are cut as well
    with pytest.raises(Refusal, match="no grid of 10007 parts fits"):
        made(STRONG + 'ranks = [10007]\ngrid = "auto"\n')


def test_options_reach_the_movements_that_have_them():
    both = STRONG + 'movement = ["pipeline", "shared"]\noptions = { chunk_bytes = 5000, group_ranks = 1 }\n'
    found = {item.run.movement: dict(item.run.options) for item in made(both).runs}
    assert found == {"serial": {}, "pipeline": {"chunk_bytes": 5000}, "shared": {"group_ranks": 1}}
    windowed = made(both.replace("{ chunk", "{ in_window = true, chunk"))
    options = next(dict(item.run.options) for item in windowed.runs if item.run.movement == "pipeline")
    assert options == {"in_window": True, "chunk_bytes": 5000, "group_ranks": 1}, "nodes count where a window is"
    with pytest.raises(Refusal, match=r"chunk_byte.*chunk_bytes"):
        made(STRONG + "options = { chunk_byte = 5000 }\n")
    with pytest.raises(Refusal, match="chunk_bytes = 0 is out of range"):
        made(STRONG + "options = { chunk_bytes = 0 }\n")


def test_a_switch_is_part_of_a_run_only_where_it_is_on():
    def scattered(options: str):
        runs = made(STRONG + options).runs
        return next(item.run for item in runs if item.run.movement == "scatter-gather")

    plain, on, off = (
        scattered(text) for text in ("", "options = { in_place = true }\n", "options = { in_place = false }\n")
    )
    assert dict(on.options) == {"in_place": True}
    assert on.run_id != plain.run_id == off.run_id
    with pytest.raises(Refusal, match="in_place = 1 is no switch: give true or false"):
        scattered("options = { in_place = 1 }\n")
    with pytest.raises(Refusal, match="chunk_bytes = True is out of range"):
        scattered("options = { chunk_bytes = true }\n")


def test_stores_are_handed_to_runs_outside_their_ids():
    def settled(text: str, backend: str = "simd"):
        runs = made(STRONG + f'backend = ["{backend}"]\n', head=text + HEAD).runs
        assert len({str(item.settled) for item in runs}) == 1
        return runs[0].settled, [item.run.run_id for item in runs]

    free, ids = settled("")
    assert free == {}
    told, same = settled('stores = "ordinary"\n')
    assert (told, same) == ({"stores": {"taken": "ordinary", "convolve_s": {}}}, ids)
    assert settled('stores = "non-temporal"\n', backend="numpy")[0] == {}  # has no others
    with pytest.raises(Refusal, match="stores 'fast' is unknown"):
        settled('stores = "fast"\n')


def test_profiles_hold_series_back():
    fat = STRONG + 'profiles = ["fat"]\n'
    assert [item.series for item in made(fat + WEAK, profile="light").runs if "strong" in item.series] == []
    assert made(fat, profile="fat").runs
    with pytest.raises(Refusal, match="no run on a cluster of profile local: give --series with some of strong"):
        made(fat)


@pytest.mark.parametrize(
    ("text", "slots", "cores", "threads", "bindings"),
    [
        (STRONG, 4, 4, 4, {1: "core", 2: "core", 4: "core"}),
        # 16 ranks on 8 cores of 2 threads: only they lose a core of their own
        (STRONG, 16, 8, 16, {1: "core", 2: "core", 4: "core", 8: "core", 16: "hwthread"}),
        (STRONG + "threads = 2", 4, 4, 8, {1: "core", 2: "core", 4: "hwthread"}),
        (STRONG + "threads = 2", 4, 4, 4, {1: "core", 2: "core", 4: "none"}),
        # mpirun binds no more ranks than it was given slots
        (STRONG + "oversubscribe = 2", 4, 8, 16, {1: "core", 2: "core", 4: "core", 8: "none"}),
        # nodes that share one machine's cores
        (STRONG, 4, 0, 0, {1: "none", 2: "none", 4: "none"}),
    ],
)
def test_binding_is_chosen_run_by_run(text, slots, cores, threads, bindings):
    found = made(text, slots, cores, threads=threads, head=HEAD.replace("batch = 8", "batch = 16"))
    assert {item.run.ranks: item.run.binding for item in found.runs} == bindings
    assert found.notes[-1].startswith("binding: ranks ")


def test_slots_are_filled_node_by_node():
    inventory = make_inventory(2, nodes=3)
    assert [spread(ranks, inventory) for ranks in (1, 2, 3, 6, 12)] == [(1, 1), (1, 2), (2, 2), (3, 2), (3, 4)]


def test_skips_more_ranks_than_asked_for_and_what_does_not_fit():
    inventory = make_inventory(2)
    item = made(STRONG + "ranks = [4]\n", slots=2).runs
    four = next(each for each in item if each.run.ranks == 4)
    assert "4 ranks on 2 slots" in skip_reason(four, inventory, [{}])
    asked = next(
        each for each in made(STRONG + "ranks = [4]\noversubscribe = 2\n", slots=2).runs if each.run.ranks == 4
    )
    assert skip_reason(asked, inventory, [{}]) is None
    total = sum(asked.peak_bytes)
    assert skip_reason(asked, inventory, [{"cgroup_memory_bytes": int(total / 0.9) + 2}]) is None
    assert "predicted peaks on node1" in skip_reason(asked, inventory, [{"cgroup_memory_bytes": int(total / 0.9) - 2}])
    small = make_inventory(2, memory_bytes=int(total / 0.9) - 2)
    assert skip_reason(asked, small, [{"cgroup_memory_bytes": 2**40}]) is not None


def test_the_paper_on_its_own_clusters():
    light = make(load_study("paper").study, make_inventory(1, 8, 2**32, "light"), 1)
    names = {name for item in light.runs for name in item.series}
    assert names == {"light-strong", "light-strong-80", "light-weak"}
    inventory = make_inventory(1, 8, 2**32, "light")
    skipped = {
        (item.run.problem.batch, item.run.ranks, item.run.movement)
        for item in light.runs
        if skip_reason(item, inventory, [{}] * 8)
    }
    assert (80, 1, "scatter-gather") in skipped
    assert (40, 1, "scatter-gather") not in skipped


def test_shared_windows_are_held_against_the_shared_memory_that_is_there():
    text = STRONG + 'ranks = [1, 4]\nmovement = ["shared"]\n'
    runs = {item.run.ranks: item for item in made(text).runs if item.run.movement == "shared"}
    problem = runs[4].run.problem
    needed = problem.x_bytes + problem.y_bytes + 4 * SHARED_MEMORY_BYTES_PER_RANK
    inventory = make_inventory(4)
    assert shared_memory_bytes(runs[4], 0) == needed
    assert skip_reason(runs[4], inventory, [{"shared_memory_free_bytes": needed}]) is None
    assert "--shm-size" in skip_reason(runs[4], inventory, [{"shared_memory_free_bytes": needed - 1}])
    assert skip_reason(runs[1], inventory, [{"shared_memory_free_bytes": 0}]) is None  # a rank alone shares nothing
