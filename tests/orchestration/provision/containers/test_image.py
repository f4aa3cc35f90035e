"""The image's name and what is asked of the engine for it, with a small program in the engine's place."""

import re
import shutil

import pytest

from orchestration.errors import Refusal
from orchestration.provision.containers import image
from orchestration.provision.containers.docker import Engine
from tests.orchestration.provision.containers.test_docker import place
from tests.orchestration.support import ROOT

ANSWERS = """
case "$1 $2" in
  "image ls") echo id;;
  "image inspect") echo sha256:base;;
  *) echo "not wanted: $*" >&2; exit 1;;
esac
"""


@pytest.fixture
def checkout(tmp_path):
    root = tmp_path / "checkout"
    for file in image.FILES:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / file, root / file)
    return root


def test_the_name_changes_with_whatever_the_image_is_made_of(tmp_path, checkout):
    engine = Engine((), place(tmp_path, docker=ANSWERS))
    names = {image.build(engine, checkout, print), image.build(engine, checkout, print, build_tools=True)}
    for file in image.FILES:
        with (checkout / file).open("a") as changed:
            changed.write("# changed\n")
        names.add(image.build(engine, checkout, print))
    newer = Engine((), place(tmp_path, docker=ANSWERS.replace("sha256:base", "sha256:newer")))
    names.add(image.build(newer, checkout, print))
    assert len(names) == len(image.FILES) + 3
    assert all(re.fullmatch(r"convscale-node(-with-tools)?:[0-9a-f]{16}", name) for name in names)


def test_without_a_base_image_the_way_to_make_one_is_told(tmp_path, checkout):
    answers = 'case "$1" in pull) echo "no route to the registry" >&2; exit 1;; esac'
    with pytest.raises(Refusal, match=r"no route to the registry.*infra/compose/base-image.sh debian:bookworm-slim"):
        image.build(Engine((), place(tmp_path, docker=answers)), checkout, lambda _: None)


def test_wheels_are_for_the_images_python_not_for_this_one(tmp_path):
    command = image.download_command(tmp_path, ROOT / "constraints.txt", "aarch64")
    assert command[command.index("--python-version") + 1] == image.BASE_PYTHON
    assert "manylinux_2_28_aarch64" in command
    assert not any("x86_64" in word for word in command)


def test_the_nodes_get_the_packages_that_bootstrap_installs():
    text = (ROOT / "infra/bootstrap.sh").read_text()
    listed = re.search(r"^PYTHON_PACKAGES=\((.*)\)$", text, re.MULTILINE)
    assert tuple(listed[1].split()) == image.NODE_PACKAGES
    pins = (ROOT / "constraints.txt").read_text()
    assert all(re.search(rf"^{name}==", pins, re.MULTILINE) for name in image.NODE_PACKAGES)
