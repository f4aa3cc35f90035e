"""Studies: the ones that come along are right, and each mistake in one is told in a line."""

import re
import tomllib

import pytest

from orchestration import experiments
from orchestration.errors import Refusal
from orchestration.experiments.convolution import study
from orchestration.planning.study import names
from tests.orchestration.support import load_study, make_overrides

GOOD = """
schema_version = 1
name = "s"
[problem]
batch = 8
in_channels = 3
out_channels = 3
height = 32
width = 32
kernel_size = 3
[[series]]
name = "strong"
scaling = "strong"
[[series]]
name = "weak"
scaling = "weak"
batch_per_rank = 2
repeats = 5
"""


def document(text=GOOD):
    return tomllib.loads(text)


def load(tmp_path, text, overrides=None):
    path = tmp_path / "s.toml"
    path.write_text(text)
    return experiments.load(str(path), overrides or make_overrides())[1]


@pytest.mark.parametrize("name", names())
def test_the_studies_that_come_along_are_right(name):
    loaded = load_study(name)
    assert loaded.study.name == name
    assert study.check(tomllib.loads(loaded.text()), "again") == loaded.study


def test_quick_paper_and_local_come_along():
    assert set(names()) >= {"quick", "paper", "local"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("schema_version = 1", "schema_version = 2", r"schema_version 2.* reads 1"),
        ('name = "s"', 'name = "s"\nrepeets = 3', r"key repeets is unknown \(did you mean repeats\?\)"),
        ("batch = 8", "bacth = 8", r"key problem.bacth is unknown \(did you mean batch\?\)"),
        (
            'scaling = "strong"',
            'scalling = "strong"',
            r"key series\[0\].scalling is unknown \(did you mean scaling\?\)",
        ),
        ("height = 32", "height = 32.5", r"problem.height = 32.5 is wrong"),
        ("height = 32", 'height = "32"', r"problem.height = '32' is wrong"),
        ("height = 32", "height = true", r"problem.height = True is wrong"),
        ('name = "s"', 'name = "s"\nlaunches = 0', r"launches = 0 is wrong"),
        ('name = "s"', 'name = "s"\ntimeout_s = -1', r"timeout_s = -1 is wrong"),
        ('name = "s"', 'name = "../s"', r"name = '../s' is wrong"),
        ('name = "s"', 'name = "s"\nbackend = ["nunpy"]', r"backend 'nunpy' is unknown \(did you mean numpy\?\)"),
        ('name = "s"', 'name = "s"\nbackend = []', r"backend = \[\] is wrong"),
        ('name = "s"', 'name = "s"\nmovement = ["scatter"]', r"movement 'scatter' is unknown.*scatter-gather"),
        ('name = "s"', 'name = "s"\nweights = "rnd"', r"weights 'rnd' is unknown"),
        ('scaling = "strong"', 'scaling = "strong"\nranks = "all"', r"give \"slots\" or a list"),
        ('scaling = "strong"', 'scaling = "strong"\nranks = [0]', r"give \"slots\" or a list"),
        ('scaling = "strong"', 'scaling = "strong"\nranks = []', r"give \"slots\" or a list"),
        (
            'scaling = "strong"',
            'scaling = "strong"\ngrid = { rows = 2 }',
            r"axis 'rows' is unknown \(did you mean row\?\)",
        ),
        ('scaling = "strong"', 'scaling = "strong"\ngrid = { row = 0 }', r"axis row takes"),
        ('scaling = "strong"', 'scaling = "stronk"', r"series\[0\].scaling = 'stronk' is wrong"),
        ('name = "weak"', 'name = "strong"', r"series strong stands twice"),
        ('name = "s"', "", r"key name is missing"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(tmp_path, old, new, words):
    with pytest.raises(Refusal) as refusal:
        load(tmp_path, GOOD.replace(old, new, 1))
    assert re.search(words, str(refusal.value)), refusal.value
    assert "s.toml" in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("text", ["name = ", "\x00", "[[series]"])
def test_what_is_no_toml_is_refused(tmp_path, text):
    with pytest.raises(Refusal, match=r"study s\.toml is no TOML"):
        load(tmp_path, text)


@pytest.mark.parametrize("series", ["3", "[1]"])
def test_series_of_another_kind_are_refused(tmp_path, series):
    with pytest.raises(Refusal, match="series"):
        load(tmp_path, f'schema_version = 1\nname = "s"\nseries = {series}', make_overrides(ranks=(1,)))


def test_an_unknown_study_lists_the_known_ones(tmp_path):
    with pytest.raises(Refusal, match=r"study 'quik' is unknown \(did you mean quick\?\)"):
        load_study("quik")
    with pytest.raises(Refusal, match="is no file"):
        load_study(str(tmp_path / "s.toml"))


def test_overrides_hold_for_every_series_and_stand_in_the_study(tmp_path):
    overrides = make_overrides(ranks=(1, 2), batch=(4,), repeats=7, backend=("naive", "numpy"), images="synthetic")
    loaded = load(tmp_path, GOOD, overrides)
    written = tomllib.loads(loaded.text())
    assert loaded.study.repeats == 7
    assert loaded.study.series[1].repeats is None
    assert [series.ranks for series in loaded.study.series] == [[1, 2], [1, 2]]
    assert loaded.study.series[0].problem.batch == 4
    assert loaded.study.series[1].batch_per_rank == 4
    assert (written["images"], written["backend"]) == ("synthetic", ["naive", "numpy"])
    assert study.check(written, "again") == loaded.study


def test_series_picks_and_lifts_the_profile(tmp_path):
    text = GOOD.replace('scaling = "weak"', 'scaling = "weak"\nprofiles = ["fat"]')
    loaded = load(tmp_path, text, make_overrides(series=("weak",)))
    assert [series.name for series in loaded.study.series] == ["weak"]
    assert loaded.study.series[0].profiles is None
    with pytest.raises(Refusal, match=r"series 'week' is unknown \(did you mean weak\?\)"):
        load(tmp_path, text, make_overrides(series=("week",)))


def test_several_batches_are_for_size_series(tmp_path):
    with pytest.raises(Refusal, match="only a size series takes several"):
        load(tmp_path, GOOD, make_overrides(batch=(4, 8)))


def test_a_relative_folder_of_pictures_lies_beside_the_study(tmp_path):
    loaded = load(tmp_path, GOOD.replace('name = "s"', 'name = "s"\nimages = "cats"'))
    assert loaded.study.images == str(tmp_path / "cats")


def test_where_simd_has_no_code_numpy_stands_in_and_says_why():
    from orchestration.experiments.convolution.experiment import _usable

    loaded = load_study("paper")
    assert _usable(loaded, [{"simd": "avx2"}]) == (loaded, ())
    usable, notes = _usable(loaded, [{"simd": "avx2"}, {"simd": "none: backend simd makes code for x86-64 only"}])
    assert usable.study.backend == ["naive", "numpy"]
    assert 'backend = [\n    "naive",\n    "numpy",\n]' in usable.text()
    assert notes == ("backend numpy in place of simd (backend simd makes code for x86-64 only)",)
    both = load_study("quick", backend=("simd", "numpy"))
    assert _usable(both, [{"simd": "none: x"}])[0].study.backend == ["numpy"]
    naive = load_study("quick", backend=("naive",))
    assert _usable(naive, [{"simd": "none: x"}]) == (naive, ())


def test_without_a_gpu_a_study_for_one_is_refused_with_what_to_do():
    from orchestration.experiments.convolution.experiment import _usable

    loaded = load_study("quick", backend=("cuda",))
    assert _usable(loaded, [{"simd": "avx2", "cuda": "found", "node": "a"}]) == (loaded, ())
    machines = [{"cuda": "found", "node": "a"}, {"cuda": "none: no NVIDIA driver: install one", "node": "b"}]
    with pytest.raises(Refusal, match=r"^backend cuda: b has no NVIDIA driver: install one$"):
        _usable(loaded, machines)
    others = load_study("quick")
    assert _usable(others, machines) == (others, ())
