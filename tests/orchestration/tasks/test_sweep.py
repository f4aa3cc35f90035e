"""What a person types, and reads where it is wrong: one line and exit status 2."""

import subprocess
import sys

import pytest

from tests.orchestration.support import ROOT, fab, refused


def test_the_menu_has_one_line_a_task():
    listed = fab("--list").stdout
    for name in ("sweep", "report", "clusters", "studies"):
        assert f"  {name} " in listed


def test_the_menu_loads_nothing_heavy():
    names = ["matplotlib", "numpy", "pydantic", "rich", "scipy", "pulumi", "PIL"]
    program = f"import fabfile, sys; print(*[name for name in {names} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_help_explains_every_flag(menu):
    text = menu("sweep", "--help").stdout
    flags = "cluster study out new retry force dry-run series ranks batch repeats launches images backend movement"
    for flag in flags.split():
        assert f"--{flag}" in text


def test_clusters_and_studies(menu):
    assert menu("clusters").stdout.startswith("local")
    assert {"quick", "paper", "local"} <= {line.split()[0] for line in menu("studies").stdout.splitlines()}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--cluster", "fatt"], "cluster 'fatt' is unknown"),
        (["--cluster", "fat"], "cluster fat is not up: start it with 'fab up --cluster fat'"),
        (["--study", "quik"], "study 'quik' is unknown"),
        (["--movement", "scatter"], "movement 'scatter' is unknown"),
        (["--backend", "opencl"], "backend 'opencl' is unknown"),
        (["--images", "no-such-folder"], "no-such-folder is neither sample, synthetic nor a folder"),
        (["--ranks", "1,x"], "--ranks '1,x' is no list of whole numbers"),
        (["--ranks", "0"], 'give "slots" or a list'),
        (["--ranks", "64"], "only 16"),
        (["--repeats", "many"], "--repeats 'many' is no whole number"),
        (["--launches", "0"], "launches = 0 is wrong"),
        (["--batch", "-1"], "batch = -1 is out of range"),
        (["--series", "stronk"], "series 'stronk' is unknown (did you mean strong?)"),
        (["--out", "/dev/null/x"], "/dev/null/x"),
        (["--within", "0"], "--within '0' is no percentage between 0 and 100"),
        (["--within", "5%", "--max-launches", "2"], "--max-launches 2: an interval takes 3 launches"),
        (["--within", "5%", "--max-launches", "0"], "--max-launches 0: an interval takes 3 launches"),
        (["--within", "5%", "--max-time", "30"], "--max-time '30' is no duration: give for example --max-time 30m"),
        (["--within", "5%", "--max-time", "0m"], "--max-time '0m' is no duration"),
        (["--within", "5%", "--max-cost", "5"], "cluster local has no price; give --max-time instead"),
        (["--within", "5%", "--max-cost", "nan"], "--max-cost nan: give an amount above 0"),
        (["--max-time", "30m"], "--max-time 30m limits --within, which is not given"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, words):
    assert words in refused("sweep", *arguments)


def test_an_out_of_somebody_elses_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    assert "holds files, but no sweep's" in refused("sweep", "--out", str(tmp_path))
