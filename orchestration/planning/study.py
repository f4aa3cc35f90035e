"""Studies: the part of these TOML files that is the same for every experiment.

Each experiment adds its own keys: see orchestration/experiments.
"""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import tomli_w
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from orchestration.clusters.inventory import Name
from orchestration.errors import Refusal
from orchestration.messages import explain, unknown
from workload.record.run import MAX_RANKS
from workload.record.schema import SchemaError, check_version

STUDIES = Path(__file__).parents[1] / "studies"
SLOTS = "slots"
RANKS = "ranks"


def _counts(value: Any) -> Any:
    if value == SLOTS:
        return value
    whole = isinstance(value, list) and value and all(type(item) is int and 1 <= item <= MAX_RANKS for item in value)
    if not whole:
        raise ValueError(f'give "slots" or a list of whole numbers from 1 to {MAX_RANKS}')
    return value


Count = Annotated[int, Field(ge=1, le=100_000)]
Seconds = Annotated[float, Field(gt=0, le=7 * 86400)]
Threads = Annotated[int, Field(ge=1, le=4096)]


class StrictModel(BaseModel):
    """Refuses unknown keys and values of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SeriesSettings(StrictModel):
    """The keys that a series may override; None where it does not."""

    launches: Count | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    timeout_s: Seconds | None = None
    threads: Threads | None = None


class Series(SeriesSettings):
    """One series of a study: strong or weak scaling over rank counts, or another kind that the experiment offers.

    `ranks` a list: those counts; `oversubscribe` then only permits counts up to that multiple of the slots.
    `ranks = "slots"`: powers of two below the slots, then the slots, and with `oversubscribe` one more point at that
    multiple. `profiles`: only on clusters of these profiles.
    """

    name: Name
    scaling: str
    ranks: Annotated[Any, BeforeValidator(_counts)] = SLOTS
    max_ranks: Annotated[int, Field(ge=1, le=MAX_RANKS)] | None = None
    oversubscribe: Annotated[int, Field(ge=2, le=64)] | None = None
    profiles: Annotated[list[str], Field(min_length=1)] | None = None

    @property
    def ranks_beside(self) -> tuple[int, ...]:
        """The rank counts of runs that stand beside the series' own."""
        return ()


class Study(SeriesSettings):
    """A study: a matrix of runs. Defaults are here, so that a file states only what differs."""

    schema_version: Literal[1]
    name: Name
    launches: Count = 3
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 1
    timeout_s: Seconds = 120.0
    threads: Threads = 1


@dataclass(frozen=True)
class Overrides:
    """Values from the command line that replace those of the study; empty where none is given.

    `values` are the flags that the experiment knows, by their keys in a study.
    """

    series: tuple[str, ...] = ()
    ranks: tuple[int, ...] = ()
    launches: int | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyFile:
    """The document of a study, as it is in the file, and the path of the file."""

    document: dict[str, Any]
    path: Path


Checked = TypeVar("Checked", bound=Study)


@dataclass(frozen=True)
class LoadedStudy:
    """A checked study, its document with all overrides, and the name of its file for messages."""

    study: Study
    document: Mapping[str, Any]
    source: str

    def text(self) -> str:
        """The study.toml of the sweep folder."""
        return tomli_w.dumps(self.document)


def names() -> list[str]:
    """The studies that come with convscale."""
    return sorted(path.stem for path in STUDIES.glob("*.toml"))


def read(name: str) -> StudyFile:
    """The study of that name, or at that path. Raises Refusal."""
    path = _find(name)
    try:
        return StudyFile(tomllib.loads(path.read_text(encoding="utf-8")), path)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refusal(f"study {path.name} is no TOML: {error}") from error
    except OSError as error:
        raise Refusal(f"study {path.name} cannot be read ({error.strerror}): give another") from error


def check(document: Mapping[str, Any], source: str, model: type[Checked]) -> Checked:
    """The study of a document. Raises Refusal naming the file, the key and, where misspelt, the nearest one."""
    try:
        check_version(document, source)
        study = model.model_validate(dict(document))
    except SchemaError as error:
        raise Refusal(str(error)) from error
    except ValidationError as error:
        raise Refusal(f"study {source}: {explain(error, model)}") from error
    series = [item.name for item in series_of(study)]
    if twice := {item for item in series if series.count(item) > 1}:
        raise Refusal(f"study {source}: series {', '.join(sorted(twice))} stands twice: give each its own name")
    return study


def series_of(study: Study) -> list[Series]:
    """The series of a study of any experiment."""
    found: list[Series] = getattr(study, "series", [])
    return found


def override(document: Mapping[str, Any], overrides: Overrides, keys: tuple[str, ...] = ()) -> dict[str, Any]:
    """The document of the study with the values of the command line in every series. Raises Refusal.

    `keys` are those of the experiment's `values` that stand in the study and in its series under the same name.
    """
    result = copy.deepcopy(dict(document))
    series = tables(result)
    if series is None:
        return result  # the check says what is wrong
    if overrides.series:
        result["series"] = series = _pick(series, overrides.series)
    given = {key: overrides.values.get(key) for key in keys} | {"launches": overrides.launches}
    for key, value in given.items():
        if value is None or value == ():
            continue
        result[key] = list(value) if isinstance(value, tuple) else value
        for item in series:
            item.pop(key, None)
    if overrides.ranks:
        for item in series:
            item["ranks"] = list(overrides.ranks)
            item.pop("max_ranks", None)
    return result


def tables(document: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The series of a study's document; None where they are none."""
    series = document.get("series")
    if not isinstance(series, list) or not all(isinstance(item, dict) for item in series):
        return None
    return series


def _pick(series: list[dict[str, Any]], wanted: tuple[str, ...]) -> list[dict[str, Any]]:
    known = [str(item.get("name")) for item in series]
    for name in wanted:
        if name not in known:
            raise Refusal(unknown("series", name, known))
    picked = [item for item in series if item.get("name") in wanted]
    for item in picked:
        item.pop("profiles", None)  # asked for by name: on this cluster, whatever its profile
    return picked


def _find(name: str) -> Path:
    path = Path(name).expanduser()
    if path.suffix == ".toml" or "/" in name:
        if not path.is_file():
            raise Refusal(f"study {name} is no file: give the path of a study, or one of {', '.join(names())}")
        return path.resolve()
    if name not in names():
        raise Refusal(unknown("study", name, names()) + ", or the path of a .toml file")
    return STUDIES / f"{name}.toml"
