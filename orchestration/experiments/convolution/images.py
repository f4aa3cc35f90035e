"""Pictures: decoded, cropped and scaled once into the pool that the ranks map, and shown in the report.

A pool is a uint8 .npy of shape (n, C_in, H, W), values 1 to 255, its n pictures distinct, named by the
SHA-256 of the file. 0 is raised to 1: a black picture would equal itself under any factor.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from orchestration.errors import Refusal
from workload.domain.problem import Problem
from workload.movement.descriptions.footprint import POOL_PICTURES
from workload.record.files import write_whole
from workload.record.run import Images

Bytes: TypeAlias = NDArray[np.uint8]

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
MAX_PIXELS = 2**28  # of one picture of a person's; past it a file is likelier a bomb than a photograph
MAX_POOL_BYTES = 2**33
MAX_PREVIEW_BYTES = 2**28


class Pools:
    """The pools of a folder: made once, then found again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[tuple[str, int, int, int, int], Images] = {}

    def get(self, images: str, problem: Problem, seed: int) -> tuple[Images, Path]:
        """The pool of `sample`, `synthetic` or a folder for the problem's pictures, and its file.

        Raises Refusal, OSError.
        """
        key = (images, problem.in_channels, problem.height, problem.width, seed if images == "synthetic" else 0)
        if key not in self._known:
            self._known[key] = self._make(images, problem, seed)
        made = self._known[key]
        return made, self.folder / f"{made.digest}.npy"

    def _make(self, images: str, problem: Problem, seed: int) -> Images:
        size = POOL_PICTURES * problem.in_channels * problem.height * problem.width
        if size > MAX_POOL_BYTES:
            raise Refusal(
                f"{POOL_PICTURES} pictures of {problem.in_channels} x {problem.height} x {problem.width} need {size} "
                f"bytes: more than the {MAX_POOL_BYTES} a pool may have; lower in_channels, height or width"
            )
        if images == "synthetic":
            kind, pool = "synthetic", synthetic(problem, seed)
        elif images == "sample":
            kind, pool = "sample", crops(_decode(sample_path()), problem, POOL_PICTURES)
        else:
            kind, pool = "folder", from_folder(Path(images), problem)
        distinct = {picture.tobytes() for picture in pool}
        if len(distinct) != len(pool):
            raise Refusal(
                f"images {images}: {len(pool) - len(distinct)} of {len(pool)} pictures are the same at "
                f"{problem.height} x {problem.width}: give pictures that differ, or larger ones"
            )
        return Images(kind, self._store(pool))

    def _store(self, pool: Bytes) -> str:
        """Writes the pool whole under its digest, unless it lies there; returns the digest."""
        buffer = io.BytesIO()
        np.save(buffer, pool, allow_pickle=False)
        content = buffer.getbuffer()
        digest = hashlib.sha256(content).hexdigest()
        path = self.folder / f"{digest}.npy"
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest:
            return digest
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
        return digest


def sample_path() -> Path:
    """The photograph that matplotlib carries, found without importing it, which takes longer than a small run."""
    package = find_spec("matplotlib")
    if package is None or package.origin is None:
        raise Refusal("the sample picture comes with matplotlib, which is not installed: run 'make' again")
    return Path(package.origin).with_name("mpl-data") / "sample_data" / "grace_hopper.jpg"


def synthetic(problem: Problem, seed: int) -> Bytes:
    """Pictures from a counter-based generator (Philox): the same for a seed, everywhere."""
    generator = np.random.Generator(np.random.Philox(key=seed))
    shape = (POOL_PICTURES, problem.in_channels, problem.height, problem.width)
    pool: Bytes = generator.integers(1, 256, size=shape, dtype=np.uint8)
    return pool


def from_folder(folder: Path, problem: Problem) -> Bytes:
    """Up to eight pictures of the folder, by name; fewer files give more crops each. Raises Refusal."""
    if not folder.is_dir():
        raise Refusal(f"images {folder} is neither sample, synthetic nor a folder: give a folder of pictures")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if not paths:
        raise Refusal(f"images {folder} holds no picture: put some there ({', '.join(SUFFIXES)})")
    paths = paths[:POOL_PICTURES]
    shares = [len(range(index, POOL_PICTURES, len(paths))) for index in range(len(paths))]
    return np.concatenate([crops(_decode(path), problem, n) for path, n in zip(paths, shares, strict=True)])


def _decode(path: Path) -> Image.Image:
    """The picture, as RGB. Raises Refusal by name where it is empty, unreadable or absurdly large."""
    if path.stat().st_size == 0:
        raise Refusal(f"picture {path} is empty: remove it or give another")
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise Refusal(f"picture {path} has {picture.width} x {picture.height} pixels: give a smaller one")
            return picture.convert("RGB")
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Refusal(f"picture {path} cannot be read ({str(error)[:200]}): remove it or give another") from error


def crops(picture: Image.Image, problem: Problem, count: int) -> Bytes:
    """`count` different crops of a picture, (count, C_in, H, W); each is as large as half of it and more."""
    return np.stack([_channels(_crop(picture, problem, *place), problem) for place in _places(count)])


def _places(count: int) -> Iterator[tuple[float, float, float]]:
    """Scale and position of each crop: one of the whole, then ever other corners of smaller ones."""
    for index in range(count):
        scale = 1 - 0.5 * index / POOL_PICTURES
        yield scale, (index * 0.6180339887) % 1, (index * 0.7548776662) % 1


def _crop(picture: Image.Image, problem: Problem, scale: float, right: float, down: float) -> Bytes:
    """(H, W, 3): the largest window of the problem's proportions, scaled, at that share of the free way."""
    fit = min(picture.width / problem.width, picture.height / problem.height) * scale
    width, height = fit * problem.width, fit * problem.height
    left, top = right * (picture.width - width), down * (picture.height - height)
    box = (left, top, left + width, top + height)
    resized = picture.resize((problem.width, problem.height), Image.Resampling.BILINEAR, box=box)
    return np.maximum(np.asarray(resized, dtype=np.uint8), 1)


def _channels(pixels: Bytes, problem: Problem) -> Bytes:
    """(C_in, H, W): luminance for one channel; past three, c mod 3 rolled ever further, so that no two are equal."""
    colours = np.moveaxis(pixels, -1, 0)
    if problem.in_channels == 1:
        luminance: Bytes = np.rint(np.tensordot([0.299, 0.587, 0.114], colours, axes=1)).astype(np.uint8)
        return luminance[np.newaxis]
    turns = (divmod(c // 3, problem.width) for c in range(problem.in_channels))  # sideways, then a row further down
    return np.stack([np.roll(colours[c % 3], turn, axis=(0, 1)) for c, turn in enumerate(turns)])


def read_preview(content: bytes) -> dict[str, Bytes]:
    """`input` and `output` of a run's preview, uint8 (H, W) or (H, W, 3). It comes from a node: nothing is trusted.

    Raises ValueError where it is no such file.
    """
    if len(content) > MAX_PREVIEW_BYTES:
        raise ValueError(f"the preview has {len(content)} bytes")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in ("input", "output")}
    except Exception as error:  # zipfile and numpy raise many kinds on a damaged file
        raise ValueError(f"the preview cannot be read: {error}") from error
    for name, array in found.items():
        good = array.dtype == np.uint8 and (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3))
        if not good or array.size == 0 or array.size > MAX_PREVIEW_BYTES:
            raise ValueError(f"the preview's {name} is {array.dtype} of shape {array.shape}")
    return found


def png(pixels: Bytes) -> bytes:
    """A PNG file of the pixels."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()
