"""Parts of bootstrap.sh that need no root: what fails in passing is tried again."""

import re
import shutil
import subprocess
import sys
import tomllib

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


@pytest.fixture
def place(tmp_path):
    """A node's folder whose Python is this one's, and a folder for the driver's library."""
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "python").symlink_to(sys.executable)
    return tmp_path


def driver(folder, error, count):
    """NVIDIA's library as far as bootstrap.sh asks it."""
    source = f"int cuInit(unsigned f) {{ return {error}; }} int cuDeviceGetCount(int *n) {{ *n = {count}; return 0; }}"
    command = ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(folder / "libcuda.so.1")]
    subprocess.run(command, input=source, text=True, check=True)


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ((0, 1), ""),
        ((0, 2), ""),
        ((0, 0), "NVIDIA's driver does not show 1 GPUs (it finds 0): take an image that has it, its modules signed"),
        ((100, 1), "NVIDIA's driver does not show 1 GPUs (CUDA error 100): take an image"),
        (None, "NVIDIA's driver does not show 1 GPUs (OSError: libcuda.so.1: cannot open shared object file"),
    ],
)
def test_a_node_that_must_have_a_gpu_asks_its_driver(run, place, answers, says):
    if answers is not None and shutil.which("cc") is None:
        pytest.skip("a library in the driver's place needs a C compiler (cc)")
    if answers is not None:
        driver(place, *answers)
    script = f"PLACE={place}\nexport CONVSCALE_GPUS=1 LD_LIBRARY_PATH={place}\ngpus"
    done, _ = run(script)
    assert done.returncode == (1 if says else 0), done.stderr
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == (1 if says else 0)
    # one that had them starts without: its records are still wanted
    (place / "had_gpus").touch()
    done, _ = run(script)
    assert done.returncode == 0
    assert says.partition(": take")[0] in done.stderr


def test_the_packages_for_gpus_are_those_of_the_extra():
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["gpu"]
    (listed,) = re.findall(r"^GPU_PACKAGES=\((.*)\)$", FUNCTIONS, re.MULTILINE)
    assert listed.split() == [re.match(r"[\w-]+", each)[0] for each in extra]


@pytest.mark.parametrize("gpus", [0, 1])
def test_packages_for_gpus_are_installed_where_there_are_some(run, place, gpus):
    """And the environment is made anew where a machine gets its first GPU, and not again after that."""
    (place / "venv" / "bin" / "python").unlink()
    stand_in = 'python3() { mkdir -p "$3/bin"; ln -sf "$(command -v pip-called)" "$3/bin/python"; }'
    script = f"PLACE={place}\nexport CONVSCALE_CONSTRAINTS=pins CONVSCALE_GPUS={gpus}\n{stand_in}\nenvironment\n"
    done, calls = run(script + "environment", pip_called=0)
    assert done.returncode == 0, done.stderr
    (call,) = calls
    assert ("nvidia-cuda-nvrtc-cu12 nvidia-ml-py" in call) == bool(gpus)
    assert call.split()[:4] == ["pip-called", "-m", "pip", "install"]
    assert (place / "venv" / "constraints.txt").read_text().splitlines()[0] == "pins"
    done, calls = run(script.replace(f"GPUS={gpus}", "GPUS=1"), pip_called=0)
    assert len(calls) == (1 if gpus else 2)


def test_what_is_there_is_asked_of_nobody(run):
    done, calls = run(
        "SYSTEM_PACKAGES=(bash)\ndpkg-query() { echo 'install ok installed'; }\nsystem_packages", apt_get=0
    )
    assert (done.returncode, calls) == (0, [])
