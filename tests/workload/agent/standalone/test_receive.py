import io
import os
import tarfile

import pytest

from workload.agent.standalone.receive import Release, unpack
from workload.record.digest import code_digest, file_digest


def tar(path, **files):
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def release(tmp_path):
    """A release whose archive lies on this node, as on the head."""
    source = tmp_path / "source"
    unpack(tar(tmp_path / "x.tar", **{"__init__.py": b"", "sub/a.py": b"a = 1\n"}), source)
    root = tmp_path / "node"
    made = Release(root, code_digest(source), file_digest(tmp_path / "x.tar"))
    made.folder.parent.mkdir(parents=True)
    (tmp_path / "x.tar").rename(made.archive)
    return made


def test_a_release_is_put_in_place_and_switched_to(release):
    assert not release.is_there()
    release.put(release.archive)
    release.switch()
    assert release.is_there()
    assert (release.root / "workload/sub/a.py").read_text() == "a = 1\n"
    assert sorted(path.name for path in release.folder.parent.iterdir()) == [release.digest, f"{release.digest}.tar"]


def test_an_edited_release_is_not_the_release(release):
    release.put(release.archive)
    (release.folder / "sub/a.py").write_text("a = 2\n")
    assert not release.is_there()
    release.put(release.archive)
    assert release.is_there()


def test_compiled_files_are_no_edit(release):
    release.put(release.archive)
    (release.folder / "sub/__pycache__").mkdir()
    (release.folder / "sub/__pycache__/a.pyc").write_bytes(b"x")
    assert release.is_there()


def test_a_link_moves_from_one_release_to_the_next(release):
    (release.root / "workload").symlink_to("releases/old")
    release.put(release.archive)
    release.switch()
    assert (release.root / "workload").resolve() == release.folder


def test_old_releases_go_but_the_one_before_and_what_is_no_release_stay(release):
    before, older, young = ("0" * 64, "1" * 64, "2" * 64)
    (release.root / "workload").symlink_to(f"releases/{before}")
    folder = release.folder.parent
    for name in (before, older, young, "notes", f"{older}.d"):
        (folder / name).mkdir()
        (folder / name / "a.py").touch()
    for name in (f"{before}.tar", f"{older}.tar", "1" * 63):
        (folder / name).touch()
    (folder / ("3" * 64)).symlink_to("notes")
    for path in folder.iterdir():
        if path.name != young:
            os.utime(path, (0, 0), follow_symlinks=False)
    kept = {path.name for path in folder.iterdir()} - {older, f"{older}.tar"}
    release.put(release.archive)
    release.switch()
    assert {path.name for path in folder.iterdir()} == kept | {release.digest}
    assert (release.root / "workload").resolve() == release.folder


def test_a_folder_in_the_links_place_stays(release):
    release.put(release.archive)
    (release.root / "workload").mkdir()
    (release.root / "workload/thesis.py").write_text("years of work")
    with pytest.raises(ValueError, match="is a folder, not a link"):
        release.switch()
    assert (release.root / "workload/thesis.py").exists()


def test_a_shared_checkout_serves_as_it_is(release):
    release.put(release.archive)
    release.folder.rename(release.root / "workload")
    release.put(release.archive)
    release.switch()
    assert not (release.root / "workload").is_symlink()


def test_an_archive_cut_short_is_refused_and_leaves_nothing(release):
    release.archive.write_bytes(release.archive.read_bytes()[:-600])
    with pytest.raises(ValueError, match="arrived with digest"):
        release.put(release.archive)
    assert not release.folder.exists()


@pytest.mark.parametrize("name", ["/etc/x.py", "../x.py", "a/../../x.py"])
def test_a_path_out_of_the_folder_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="not a regular file below its root"):
        unpack(tar(tmp_path / "x.tar", **{name: b""}), tmp_path / "in")
    assert not (tmp_path / "x.py").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_nothing_but_files_is_unpacked(tmp_path, kind):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        member = tarfile.TarInfo("a.py")
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(ValueError, match="not a regular file below its root"):
        unpack(tmp_path / "x.tar", tmp_path / "in")
