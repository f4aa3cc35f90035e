"""Files from a node: whole, proved, bounded, resumed; nothing but plain files by the names that we gave."""

import hashlib
import os
from pathlib import Path, PurePosixPath

import pytest

from orchestration.executors.remote.download import Entry, Puller, entries


class Files:
    """As paramiko's SFTP client, on this disk; `damage` changes what is read, call by call."""

    def __init__(self, *damage):
        self.damage = list(damage)
        self.reads = []

    def lstat(self, path):
        return os.lstat(path)

    def open(self, path, mode):
        damage = self.damage.pop(0) if self.damage else None
        outer, inner = self, Path(path).open(mode)  # noqa: SIM115  closed by the reader

        class File:
            def __enter__(self):
                return self

            def __exit__(self, *_):
                inner.close()

            seek = staticmethod(inner.seek)
            prefetch = staticmethod(lambda _: None)

            def read(self, size):
                outer.reads.append((inner.tell(), size))
                content = inner.read(size)
                return damage(content) if damage else content

        return File()


def entry(content):
    return Entry(len(content), hashlib.sha256(content).hexdigest())


CONTENT = bytes(range(256)) * 20


@pytest.fixture
def path(tmp_path):
    (tmp_path / "source").write_bytes(CONTENT)
    return PurePosixPath(tmp_path / "source")


def truncated(content):
    return content[:100] if len(content) > 100 else b""


def test_what_is_damaged_on_the_way_is_pulled_again(path, tmp_path):
    assert Puller(Files(truncated)).content(path, entry(CONTENT), 10**6) == CONTENT
    Puller(Files(lambda content: b"x" + content[1:])).file(path, entry(CONTENT), tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == CONTENT


def test_what_is_damaged_every_time_is_refused_and_leaves_no_file(path, tmp_path):
    with pytest.raises(ValueError, match="came damaged 3 times"):
        Puller(Files(*[truncated] * 9)).content(path, entry(CONTENT), 10**6)
    with pytest.raises(ValueError, match="came damaged 3 times"):
        Puller(Files()).file(path, Entry(len(CONTENT), "0" * 64), tmp_path / "target")
    assert [item.name for item in tmp_path.iterdir()] == ["source"]


def test_a_broken_transfer_goes_on_where_it_stopped(path, tmp_path):
    def broken(_):
        raise OSError("gone")

    files = Files(broken)
    target = tmp_path / "target"
    partial = tmp_path / f".target.{entry(CONTENT).sha256[:16]}.partial"
    partial.write_bytes(CONTENT[:1000])
    with pytest.raises(OSError, match="gone"):
        Puller(files).file(path, entry(CONTENT), target)
    assert not target.exists()
    Puller(files).file(path, entry(CONTENT), target)
    assert target.read_bytes() == CONTENT
    assert files.reads[-1][0] >= 1000
    assert not partial.exists()


def test_too_large_is_not_read(path):
    files = Files()
    with pytest.raises(ValueError, match="5120 bytes, more than the 5119"):
        Puller(files).content(path, entry(CONTENT), 5119)
    assert files.reads == []


def test_links_are_refused(tmp_path):
    (tmp_path / "link").symlink_to("/etc/passwd")
    link = PurePosixPath(tmp_path / "link")
    for action in (
        lambda puller: puller.content(link, entry(CONTENT), 10**6),
        lambda puller: puller.tail(link, 10),
        lambda puller: puller.file(link, entry(CONTENT), tmp_path / "target"),
    ):
        with pytest.raises(ValueError, match="no plain file"):
            action(Puller(Files()))


def test_tail(path):
    assert Puller(Files()).tail(path, 10) == CONTENT[-10:]
    assert Puller(Files()).tail(path, 10**6) == CONTENT
    assert Puller(Files()).tail(path.with_name("none"), 10) == b""


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {"../x": [1, "a"]},
        {"a/b": [1, "a"]},
        {"..": [1, "a"]},
        {"a": [-1, "a"]},
        {"a": [True, "a"]},
        {"a": [1]},
    ],
)
def test_names_and_sizes_of_a_hostile_head(document):
    assert entries(document) == {}


def test_entries():
    assert entries({"log": [3, "abc"]}) == {"log": Entry(3, "abc")}
