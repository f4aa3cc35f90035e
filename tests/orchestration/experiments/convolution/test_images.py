"""Pools of pictures: their shape, that no two are equal, and what is refused."""

import io

import numpy as np
import pytest
from PIL import Image

from orchestration.errors import Refusal
from orchestration.experiments.convolution import images as pictures
from orchestration.experiments.convolution.images import Pools, png, read_preview
from workload.domain.problem import Problem

SHAPES = [(3, 64, 64), (1, 32, 32), (3, 32, 32), (7, 40, 24), (64, 16, 16)]


def problem(channels=3, height=64, width=64):
    return Problem(2, channels, 1, height, width, 3)


def paint(path, size=(80, 60), seed=1, mode="RGB"):
    channels = 3 if mode == "RGB" else 1
    pixels = np.random.default_rng(seed).integers(0, 256, size=(size[1], size[0], channels), dtype=np.uint8)
    Image.fromarray(pixels.squeeze()).save(path)


def pool_of(tmp_path, images, sizes):
    pools = Pools(tmp_path / "pools")
    return np.load(pools.get(str(images), sizes, 1)[1])


@pytest.mark.parametrize("images", ["sample", "synthetic"])
@pytest.mark.parametrize("shape", SHAPES)
def test_eight_distinct_pictures_none_black(tmp_path, images, shape):
    pool = pool_of(tmp_path, images, problem(*shape))
    assert pool.shape == (8, *shape)
    assert pool.dtype == np.uint8
    assert pool.min() >= 1
    assert len({picture.tobytes() for picture in pool}) == 8
    for picture in pool:  # a movement that exchanged two channels must be seen
        assert len({channel.tobytes() for channel in picture}) == shape[0]


def test_black_is_raised_to_one(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[np.arange(60), np.arange(60)] = 255
    Image.fromarray(pixels).save(folder / "line.png")
    pool = pool_of(tmp_path, folder, problem())
    assert pool.min() == 1
    assert pool.max() > 200


def test_the_file_is_named_by_its_digest_and_made_once(tmp_path):
    pools = Pools(tmp_path)
    first, file = pools.get("synthetic", problem(), 1)
    assert Pools(tmp_path).get("synthetic", problem(), 1) == (first, file)
    assert pools.get("synthetic", problem(), 2)[0] != first
    assert pools.get("sample", problem(), 1) == pools.get("sample", problem(), 2)
    assert len(list(tmp_path.iterdir())) == 3
    assert first.digest == pictures.hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_damaged_pool_is_made_again(tmp_path):
    images, path = Pools(tmp_path).get("synthetic", problem(), 1)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert Pools(tmp_path).get("synthetic", problem(), 1) == (images, path)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("count", [1, 3, 8, 11])
def test_a_folder_takes_rgb_and_grey_by_name(tmp_path, count):
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "notes.txt").write_text("no picture")
    for index in range(count):
        paint(folder / f"{index:02}.png", seed=index, mode="RGB" if index % 2 else "L")
    assert pool_of(tmp_path, folder, problem()).shape == (8, 3, 64, 64)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [("a.png", b"", "is empty"), ("b.jpg", b"no picture at all", "cannot be read"), (None, b"", "holds no picture")],
)
def test_bad_folders_are_refused_by_name(tmp_path, name, content, words):
    folder = tmp_path / "pictures"
    folder.mkdir()
    if name:
        (folder / name).write_bytes(content)
    with pytest.raises(Refusal, match=words) as refusal:
        pool_of(tmp_path, folder, problem())
    assert str(folder / (name or "")).rstrip("/") in str(refusal.value)


def test_a_cut_picture_is_refused(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    paint(folder / "a.png")
    content = (folder / "a.png").read_bytes()
    (folder / "a.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(Refusal, match=r"a\.png cannot be read"):
        pool_of(tmp_path, folder, problem())


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(Refusal, match="neither sample, synthetic nor a folder"):
        pool_of(tmp_path, tmp_path / "smaple", problem())


def test_pictures_that_are_all_alike_are_refused(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (50, 50), (10, 20, 30)).save(folder / "plain.png")
    with pytest.raises(Refusal, match="are the same"):
        pool_of(tmp_path, folder, problem())


def archive(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


GOOD = np.full((4, 5, 3), 7, np.uint8)


def test_a_preview_becomes_pictures():
    arrays = read_preview(archive(input=GOOD, output=GOOD[..., 0]))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png(arrays["input"])))), GOOD)
    assert Image.open(io.BytesIO(png(arrays["output"]))).mode == "L"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 no archive",
        archive(input=GOOD),
        archive(input=GOOD, output=GOOD.astype(float)),
        archive(input=GOOD, output=np.zeros((4, 5, 4), np.uint8)),
        archive(input=np.zeros((0, 5), np.uint8), output=GOOD),
        archive(input=GOOD, output=np.array([object()], dtype=object)),
    ],
)
def test_a_preview_that_is_none_is_refused(content):
    with pytest.raises(ValueError, match="the preview"):
        read_preview(content)
