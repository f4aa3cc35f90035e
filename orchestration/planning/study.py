"""A study: the TOML file that names a matrix of runs, read, checked, overridden and written as carried out."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from orchestration.clusters.inventory import Name
from orchestration.errors import Refusal
from orchestration.messages import explain, unknown
from workload.domain.backends import names as backend_names
from workload.domain.grid import AXES
from workload.domain.movements import names as movement_names
from workload.domain.movements import option_names
from workload.record.run import MAX_RANKS, WEIGHTS
from workload.record.schema import SchemaError, check_version

STUDIES = Path(__file__).parents[1] / "studies"
SLOTS = "slots"
RANKS = "ranks"
AUTO = "auto"


def _known(what: str, names: tuple[str, ...]) -> BeforeValidator:
    def check(value: Any) -> Any:
        for word in value if isinstance(value, list) else [value]:
            if isinstance(word, str) and word not in names:
                raise ValueError(unknown(what, word, names))
        return value

    return BeforeValidator(check)


def _counts(value: Any) -> Any:
    if value == SLOTS:
        return value
    whole = isinstance(value, list) and value and all(type(item) is int and 1 <= item <= MAX_RANKS for item in value)
    if not whole:
        raise ValueError(f'give "slots" or a list of whole numbers from 1 to {MAX_RANKS}')
    return value


def _axes(value: Any) -> Any:
    if value == AUTO:
        return value
    if not isinstance(value, dict):
        raise ValueError('give a table of axes, as { batch = "ranks" }, or "auto"')
    for axis, parts in value.items():
        if axis not in AXES:
            raise ValueError(unknown("axis", axis, AXES))
        if parts != RANKS and (type(parts) is not int or parts < 1):
            raise ValueError(f'axis {axis} takes "ranks" or a whole number of at least 1')
    return value


def _known_options(value: Any) -> Any:
    if isinstance(value, dict):
        for name, given in value.items():
            if name not in option_names():
                raise ValueError(unknown("option", name, option_names()))
            if type(given) is not int or given < 1:
                raise ValueError(f"{name} = {given!r} is out of range: give a whole number of at least 1")
    return value


Options = Annotated[dict[str, int], BeforeValidator(_known_options)]
Count = Annotated[int, Field(ge=1, le=100_000)]
BackendNames = Annotated[list[str], Field(min_length=1), _known("backend", backend_names())]
MovementNames = Annotated[list[str], Field(min_length=1), _known("movement", movement_names())]
WeightsName = Annotated[str, _known("weights", WEIGHTS)]
Seconds = Annotated[float, Field(gt=0, le=7 * 86400)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Sizes(_Strict):
    """The problem's six keys; what a series leaves out is the study's. Problem checks the values."""

    batch: int | None = None
    in_channels: int | None = None
    out_channels: int | None = None
    height: int | None = None
    width: int | None = None
    kernel_size: int | None = None


class Settings(_Strict):
    """The keys that a series may override; None where it does not."""

    launches: Count | None = None
    repeats: Count | None = None
    warmups: Annotated[int, Field(ge=0, le=1000)] | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    timeout_s: Seconds | None = None
    threads: Annotated[int, Field(ge=1, le=4096)] | None = None
    images: str | None = None
    weights: WeightsName | None = None
    backend: BackendNames | None = None
    movement: MovementNames | None = None
    save: bool | None = None
    options: Options | None = None
    problem: Sizes = Sizes()


class Series(Settings):
    """One line of the study: strong, weak or size scaling over rank counts.

    `ranks` a list: those counts, each refused where the grid cannot cut it; `oversubscribe` then only
    permits counts up to that multiple of the slots. `ranks = "slots"`: powers of two below the slots, then
    the slots, and with `oversubscribe` one more point at that multiple.
    """

    name: Name
    scaling: Literal["strong", "weak", "size"]
    ranks: Annotated[Any, BeforeValidator(_counts)] = SLOTS
    max_ranks: Annotated[int, Field(ge=1, le=MAX_RANKS)] | None = None
    oversubscribe: Annotated[int, Field(ge=2, le=64)] | None = None
    grid: Annotated[Any, BeforeValidator(_axes)] = Field(default_factory=lambda: {"batch": RANKS})
    profiles: Annotated[list[str], Field(min_length=1)] | None = None
    batch_per_rank: int | None = None
    batch: Annotated[list[int], Field(min_length=1)] | None = None


class Study(Settings):
    """A matrix of runs. Defaults stand here, so that a study says only what it means."""

    schema_version: Literal[1]
    name: Name
    launches: Count = 3
    repeats: Count = 3
    warmups: Annotated[int, Field(ge=0, le=1000)] = 1
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 1
    timeout_s: Seconds = 120.0
    threads: Annotated[int, Field(ge=1, le=4096)] = 1
    images: str = "sample"
    weights: WeightsName = "random"
    backend: BackendNames = ["simd"]
    movement: MovementNames = ["scatter-gather"]
    save: bool = False
    options: Options = Field(default_factory=dict)
    series: Annotated[list[Series], Field(min_length=1)]


@dataclass(frozen=True)
class Overrides:
    """What the command line sets in place of the study; None or empty where it says nothing."""

    series: tuple[str, ...] = ()
    ranks: tuple[int, ...] = ()
    batch: tuple[int, ...] = ()
    repeats: int | None = None
    launches: int | None = None
    images: str | None = None
    backend: tuple[str, ...] = ()
    movement: tuple[str, ...] = ()


@dataclass(frozen=True)
class LoadedStudy:
    """A checked study, the document it came from as carried out, and the name of its file for messages."""

    study: Study
    document: Mapping[str, Any]
    source: str

    def text(self) -> str:
        """The study.toml of the sweep folder."""
        return tomli_w.dumps(self.document)


def names() -> list[str]:
    """The studies that come with convscale."""
    return sorted(path.stem for path in STUDIES.glob("*.toml"))


def load(name: str, overrides: Overrides) -> LoadedStudy:
    """The study of that name, or at that path, with the command line's overrides. Raises Refusal."""
    path = _find(name)
    document = _parse(path)
    document.setdefault("images", "sample")
    _resolve_images(document, path.parent)
    document = override(document, overrides)
    return LoadedStudy(check(document, path.name), document, path.name)


def check(document: Mapping[str, Any], source: str) -> Study:
    """The study of a TOML document. Raises Refusal naming the file, the key and, where misspelt, the nearest one."""
    try:
        check_version(document, source)
        study = Study.model_validate(dict(document))
    except SchemaError as error:
        raise Refusal(str(error)) from error
    except ValidationError as error:
        raise Refusal(f"study {source}: {explain(error, Study)}") from error
    series = [item.name for item in study.series]
    if twice := {item for item in series if series.count(item) > 1}:
        raise Refusal(f"study {source}: series {', '.join(sorted(twice))} stands twice: give each its own name")
    return study


def override(document: Mapping[str, Any], overrides: Overrides) -> dict[str, Any]:
    """The study's document with the command line's values in place of its own, in every series. Raises Refusal."""
    result = copy.deepcopy(dict(document))
    series = result.get("series")
    if not isinstance(series, list) or not all(isinstance(item, dict) for item in series):
        return result  # the check says what is wrong
    if overrides.series:
        result["series"] = series = _pick(series, overrides.series)
    for key in ("repeats", "launches", "images", "backend", "movement"):
        value = getattr(overrides, key)
        if value is None or value == ():
            continue
        result[key] = list(value) if isinstance(value, tuple) else value
        for item in series:
            item.pop(key, None)
    for item in series:
        _override_sizes(item, overrides)
    return result


def backends(study: Study) -> set[str]:
    """All that its series use."""
    return {name for series in study.series for name in series.backend or study.backend}


def without_simd(loaded: LoadedStudy) -> LoadedStudy:
    """The study with `numpy` in place of `simd`, for clusters that have no code for it."""
    document = copy.deepcopy(dict(loaded.document))
    document.setdefault("backend", ["simd"])
    for table in [document, *document["series"]]:
        if "backend" in table:
            table["backend"] = list(dict.fromkeys("numpy" if name == "simd" else name for name in table["backend"]))
    return LoadedStudy(check(document, loaded.source), document, loaded.source)


def _pick(series: list[dict[str, Any]], wanted: tuple[str, ...]) -> list[dict[str, Any]]:
    known = [str(item.get("name")) for item in series]
    for name in wanted:
        if name not in known:
            raise Refusal(unknown("series", name, known))
    picked = [item for item in series if item.get("name") in wanted]
    for item in picked:
        item.pop("profiles", None)  # asked for by name: on this cluster, whatever its profile
    return picked


def _override_sizes(series: dict[str, Any], overrides: Overrides) -> None:
    if overrides.ranks:
        series["ranks"] = list(overrides.ranks)
        series.pop("max_ranks", None)
    if not overrides.batch:
        return
    if series.get("scaling") == "size":
        series["batch"] = list(overrides.batch)
    elif len(overrides.batch) > 1:
        given = ",".join(map(str, overrides.batch))
        raise Refusal(f"--batch {given}: series {series.get('name')} takes one batch; only a size series takes several")
    elif series.get("scaling") == "weak":
        series["batch_per_rank"] = overrides.batch[0]
    else:
        series["problem"] = {**series.get("problem", {}), "batch": overrides.batch[0]}


def _find(name: str) -> Path:
    path = Path(name).expanduser()
    if path.suffix == ".toml" or "/" in name:
        if not path.is_file():
            raise Refusal(f"study {name} is no file: give the path of a study, or one of {', '.join(names())}")
        return path.resolve()
    if name not in names():
        raise Refusal(unknown("study", name, names()) + ", or the path of a .toml file")
    return STUDIES / f"{name}.toml"


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refusal(f"study {path.name} is no TOML: {error}") from error
    except OSError as error:
        raise Refusal(f"study {path.name} cannot be read ({error.strerror}): give another") from error


def _resolve_images(document: dict[str, Any], folder: Path) -> None:
    """A study's own relative folder of pictures lies beside the study."""
    series = document.get("series")
    for table in [document, *(series if isinstance(series, list) else [])]:
        images = table.get("images") if isinstance(table, dict) else None
        if isinstance(images, str) and images not in ("sample", "synthetic"):
            table["images"] = str(folder / Path(images).expanduser())
