"""`fab sweep --clusters` as a person types it: what is wrong is one line and exit status 2, before anything is up."""

import pytest

from tests.orchestration.support import refused


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--clusters", ","], "--clusters ',' names none: give for example"),
        (["--clusters", "local,compose-lite"], "'compose-lite' is unknown (did you mean compose-light?)"),
        (["--clusters", "local,c3-highcpu-23x4"], "machine type 'c3-highcpu-23' is not described"),
        (["--clusters", "local,c3-highcpu-22x0"], "give from 1 to 250 machines"),
        (["--clusters", "local,local"], "--clusters has local twice: name each once"),
        (["--clusters", "fat,Pulumi.fat.yaml"], "--clusters has fat and Pulumi.fat.yaml, which are one cluster"),
        (["--clusters", "local,/x/inventory.json"], "is a file, whose cluster fab neither brings up nor takes down"),
        (["--clusters", "local", "--cluster", "fat"], "--cluster is of one cluster, and --clusters of several"),
        (["--clusters", "local", "--out", "x"], "--out is of one cluster, and --clusters of several"),
        (["--clusters", "local", "--down-after"], "--down-after is of one cluster, and --clusters of several"),
        (["--clusters", "local", "--max-cost", "much"], "--max-cost 'much' is no amount"),
        (["--clusters", "local", "--max-cost", "-1"], "--max-cost -1: give an amount above 0"),
        (
            ["--clusters", "local", "--batch", "9999999"],
            "no cluster can take the study: local: no run of the study can",
        ),
        (["--clusters", "local", "--parallel", "0"], "--parallel 0: give a whole number of at least 1"),
        (["--clusters", "local", "--parallel", "-2"], "--parallel -2: give a whole number of at least 1"),
        (["--clusters", "local", "--parallel", "two"], "--parallel 'two' is no whole number"),
        (["--parallel", "2"], "--parallel is of several clusters: give --clusters too"),
        (["--clusters", "local", "--study", "quik"], "quik"),
        (["--clusters", "local", "--max-launches", "5"], "--max-launches 5 limits --within, which is not given"),
        (["--clusters", "local,slurm"], "there is no Slurm job here"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, words):
    assert words in refused("sweep", *arguments)


def test_a_batch_job_has_no_campaign(menu):
    done = menu("submit", "--help")
    assert done.returncode == 0, done.stderr
    assert "--cluster=" in done.stdout
    assert not [flag for flag in ("--clusters=", "--parallel=", "--yes ") if flag in done.stdout]
