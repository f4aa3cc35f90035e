"""What is brought to the nodes for a program: archives named by their content, made of files below its folder."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestration.errors import Refusal
from workload.record.digest import file_digest
from workload.record.files import write_whole

LIMIT_BYTES = 2 * 2**30


@dataclass(frozen=True)
class Archive:
    """A tar in the operator's cache, and the SHA-256 of each file in it by its path; `log` is that of its build."""

    path: Path
    digest: str
    files: Mapping[str, str]
    log: Path | None = None


def named_files(folder: Path, command: Sequence[str]) -> list[str]:
    """The words of a command that are files below the folder: what to bring where the study does not say."""
    found = []
    for word in command:
        path = folder / word
        if (
            word
            and not word.startswith("-")
            and not Path(word).is_absolute()
            and ".." not in path.parts
            and path.is_file()
        ):
            found.append(os.path.normpath(word))
    return list(dict.fromkeys(found))


def pack(folder: Path, names: Sequence[str], cache: Path, *, large: bool) -> Archive:
    """The archive of files and folders below `folder`. Raises Refusal: not there, a link out, too much."""
    members: dict[str, Path] = {}
    for name in names:
        for path in _below(folder, name):
            members[path.relative_to(folder).as_posix()] = path
    total = sum(path.stat().st_size for path in members.values())
    if total > LIMIT_BYTES and not large:
        raise Refusal(
            f"files of {total / 2**30:.1f} GiB would be brought to every node: name fewer in files, or set large = true"
        )
    cache.mkdir(parents=True, exist_ok=True)
    partial = cache / f".{os.getpid()}.partial"
    digests = {name: file_digest(path) for name, path in sorted(members.items())}
    with tarfile.open(partial, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, path in sorted(members.items()):
            with path.open("rb") as file:
                tar.addfile(_member(name, path.stat().st_size, os.access(path, os.X_OK)), file)
    return _named(partial, cache, digests)


def pack_texts(texts: Mapping[str, str], cache: Path) -> Archive:
    """The archive of files that are made for a point."""
    cache.mkdir(parents=True, exist_ok=True)
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, text in sorted(texts.items()):
            content = text.encode()
            tar.addfile(_member(name, len(content), False), io.BytesIO(content))
    digest = hashlib.sha256(made.getvalue()).hexdigest()
    path = cache / f"{digest}.tar"
    if not path.exists():
        write_whole(path, made.getvalue())
    return Archive(path, digest, {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()})


def _named(partial: Path, cache: Path, digests: Mapping[str, str]) -> Archive:
    digest = file_digest(partial)
    path = cache / f"{digest}.tar"
    partial.replace(path)
    return Archive(path, digest, digests)


def _member(name: str, size: int, executable: bool) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o755 if executable else 0o644
    return member


def _below(folder: Path, name: str) -> list[Path]:
    """A file, or all of a folder. Raises Refusal where it is not there, or a link leads out."""
    root, path = folder.resolve(), folder / name
    if not path.exists():
        raise Refusal(f"{name} is not there (looked for in {folder}): mend files, or the command")
    found = [path] if path.is_file() else sorted(item for item in path.rglob("*") if item.is_file())
    for item in found:
        if not item.resolve().is_relative_to(root):
            raise Refusal(f"{item.relative_to(folder)} is a link out of {folder}: name a file below that folder")
        if not os.access(item, os.R_OK):
            raise Refusal(f"{item.relative_to(folder)} cannot be read: change its permissions")
    return found
