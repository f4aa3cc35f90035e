"""Parts of bootstrap.sh that need no root: what fails in passing is tried again."""

import subprocess

import pytest

from tests.infra.program import ROOT

# everything but the last lines, which run it
FUNCTIONS = (ROOT / "infra/bootstrap.sh").read_text().partition("# `set -e` does not reach into")[0]


@pytest.fixture
def run(tmp_path):
    """Runs bash with bootstrap.sh's functions, programs of ours first on PATH, and no pauses."""
    (tmp_path / "bin").mkdir()

    def program(name, fails):
        """Fails so often, then succeeds; notes every call."""
        calls = tmp_path / "calls"
        text = f'echo "{name} $*" >>{calls}\n[ "$(grep -c "^{name} $*" {calls})" -gt {fails} ]\n'
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}")
        (tmp_path / "bin" / name).chmod(0o755)

    def bash(text, **programs):
        for name, fails in programs.items():
            program(name.replace("_", "-"), fails)
        script = f"export PATH={tmp_path}/bin:$PATH CONVSCALE_PAUSE_S=0\n{FUNCTIONS}\n{text}"
        done = subprocess.run(["bash", "-c", script], check=False, capture_output=True, text=True, timeout=600)
        calls = tmp_path / "calls"
        return done, calls.read_text().splitlines() if calls.exists() else []

    return bash


@pytest.mark.parametrize("fails", [0, 1, 2])
def test_what_fails_in_passing_is_tried_again(run, fails):
    done, calls = run("SYSTEM_PACKAGES=(no-such-package)\nsystem_packages", apt_get=fails, dpkg_query=9)
    assert done.returncode == 0, done.stderr
    asked = [call.split(" -qq ")[1] for call in calls if call.startswith("apt-get")]
    assert [call.split()[0] for call in asked] == ["update"] * (fails + 1) + ["install"] * (fails + 1)
    assert all("Acquire::Retries=3" in call for call in calls if call.startswith("apt-get"))
    assert done.stderr.count("'apt-get' failed, tried again in 0 s") == 2 * fails


def test_packages_that_a_person_names_are_installed_too(run):
    done, calls = run(
        'SYSTEM_PACKAGES=()\nCONVSCALE_PACKAGES="no-such gfortran-none"\nsystem_packages', apt_get=0, dpkg_query=9
    )
    assert done.returncode == 0, done.stderr
    assert calls[-1].endswith("install --no-install-recommends no-such gfortran-none")


def test_what_fails_three_times_ends_it_with_its_name(run):
    done, calls = run("SYSTEM_PACKAGES=(no-such-package)\nsystem_packages", apt_get=3, dpkg_query=9)
    assert done.returncode == 1
    assert len([call for call in calls if call.startswith("apt-get")]) == 3
    assert "convscale-bootstrap: 'apt-get -o DPkg::Lock::Timeout=300 -o ...' failed three times" in done.stderr


def test_what_is_there_is_asked_of_nobody(run):
    done, calls = run(
        "SYSTEM_PACKAGES=(bash)\ndpkg-query() { echo 'install ok installed'; }\nsystem_packages", apt_get=0
    )
    assert (done.returncode, calls) == (0, [])
