"""y on disk: one file that every rank writes its parts of, or shards that a merge proves whole."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workload.domain.problem import Problem
from workload.merge import main, merge
from workload.record.schema import SchemaError


@pytest.mark.parametrize("ranks", [1, 3, 5])
def test_saved_output_is_the_convolution(ranks: int, mpirun: Callable[..., Any], tmp_path: Path) -> None:
    np.save(tmp_path / "pool.npy", np.random.default_rng(1).integers(1, 256, (8, 3, 40, 37), dtype=np.uint8))
    assert mpirun(ranks, "saving.py", tmp_path / "pool.npy") == []


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Two nodes' shards of a y of 4 images."""
    import hashlib

    problem = Problem(4, 1, 1, 3, 3, 2)
    y = np.arange(16, dtype=np.float32).reshape(problem.y_shape)
    for node in (0, 1):
        part = y[2 * node : 2 * node + 2]
        np.save(tmp_path / f"shard-{node}.npy", part.ravel())
        spans = [[2 * node, 2 * node + 2], [0, 1], [0, 2], [0, 2]]
        manifest = {
            "schema_version": 1,
            "problem": problem.as_dict(),
            "shard": f"shard-{node}.npy",
            "blocks": [{"y": spans, "offset": 0, "sha256": hashlib.sha256(part.tobytes()).hexdigest()}],
        }
        (tmp_path / f"manifest-{node}.json").write_text(json.dumps(manifest))
    return tmp_path


def change(folder: Path, **values: object) -> None:
    path = folder / "manifest-1.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_shards_are_put_together(shards: Path) -> None:
    merge(shards, shards / "y.npy")
    assert (np.load(shards / "y.npy").ravel() == np.arange(16)).all()


def test_a_lost_manifest_is_noticed(shards: Path) -> None:
    (shards / "manifest-1.json").unlink()
    with pytest.raises(SchemaError, match="do not cover y exactly once"):
        merge(shards, shards / "y.npy")
    assert not (shards / "y.npy").exists()


def test_a_block_given_twice_is_noticed(shards: Path) -> None:
    (shards / "manifest-2.json").write_text((shards / "manifest-1.json").read_text())
    with pytest.raises(SchemaError, match="do not cover y exactly once"):
        merge(shards, shards / "y.npy")


def test_a_changed_element_is_noticed(shards: Path) -> None:
    np.save(shards / "shard-1.npy", np.zeros(8, np.float32))
    with pytest.raises(SchemaError, match="not what its node wrote"):
        merge(shards, shards / "y.npy")
    assert {path.suffix for path in shards.iterdir()} == {".json", ".npy"}
    assert not (shards / "y.npy").exists()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"shard": "../shard-1.npy"}, "no plain file name"),
        ({"problem": Problem(5, 1, 1, 3, 3, 2).as_dict()}, "different problems"),
        ({"blocks": [{"y": []}]}, "not enough values"),
        ({"blocks": [{}]}, "damaged"),
        ({"schema_version": 9}, "schema_version 9"),
    ],
)
def test_damaged_manifests_are_refused(shards: Path, values: dict[str, object], words: str) -> None:
    change(shards, **values)
    with pytest.raises(ValueError, match=words):
        merge(shards, shards / "y.npy")


def test_the_command_says_one_line(
    shards: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["merge", str(shards), str(shards / "y.npy")])
    main()
    assert "every element once" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["merge", str(shards / "absent"), str(shards / "y.npy")])
    with pytest.raises(SystemExit) as refused:
        main()
    assert refused.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
