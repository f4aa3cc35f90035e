"""Keys of a study of the convolution: problem, process grid, backends, movements and pictures."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from orchestration.errors import Refusal
from orchestration.messages import unknown
from orchestration.planning import study as studies
from orchestration.planning.study import (
    RANKS,
    Count,
    LoadedStudy,
    Overrides,
    Series,
    SeriesSettings,
    StrictModel,
    Study,
)
from workload.domain.backends import STORES
from workload.domain.backends import names as backend_names
from workload.domain.grid import AXES
from workload.movement.descriptions import names as movement_names
from workload.movement.descriptions import option_names, switch_names
from workload.record.run import WEIGHTS

AUTO = "auto"
FASTER = "faster"  # of the stores that a backend has, found out by the first launch of each point
FLAGS = ("batch", "repeats", "images", "backend", "movement", "stores")  # of `fab sweep`, besides those of every study
IMAGES = ("sample", "synthetic")  # what is no folder


def _known(what: str, names: tuple[str, ...]) -> BeforeValidator:
    def check(value: Any) -> Any:
        for word in value if isinstance(value, list) else [value]:
            if isinstance(word, str) and word not in names:
                raise ValueError(unknown(what, word, names))
        return value

    return BeforeValidator(check)


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
            if name in switch_names():
                if type(given) is not bool:
                    raise ValueError(f"{name} = {given!r} is no switch: give true or false")
            elif type(given) is not int or given < 1:
                raise ValueError(f"{name} = {given!r} is out of range: give a whole number of at least 1")
    return value


Options = Annotated[dict[str, int | bool], BeforeValidator(_known_options)]
BackendNames = Annotated[list[str], Field(min_length=1), _known("backend", backend_names())]
MovementNames = Annotated[list[str], Field(min_length=1), _known("movement", movement_names())]
WeightsName = Annotated[str, _known("weights", WEIGHTS)]
Warmups = Annotated[int, Field(ge=0, le=1000)]


class Sizes(StrictModel):
    """The problem's six keys; what a series leaves out is the study's. Problem checks the values."""

    batch: int | None = None
    in_channels: int | None = None
    out_channels: int | None = None
    height: int | None = None
    width: int | None = None
    kernel_size: int | None = None


class ConvolutionSettings(SeriesSettings):
    """The keys that a series may override; None where it does not."""

    repeats: Count | None = None
    warmups: Warmups | None = None
    images: str | None = None
    weights: WeightsName | None = None
    backend: BackendNames | None = None
    movement: MovementNames | None = None
    save: bool | None = None
    options: Options | None = None
    problem: Sizes = Sizes()


class ConvolutionSeries(Series, ConvolutionSettings):
    """Strong, weak or size scaling; each count of a list of `ranks` is refused where the grid cannot cut it."""

    scaling: Literal["strong", "weak", "size"]
    grid: Annotated[Any, BeforeValidator(_axes)] = Field(default_factory=lambda: {"batch": RANKS})
    batch_per_rank: int | None = None
    batch: Annotated[list[int], Field(min_length=1)] | None = None

    @property
    def ranks_beside(self) -> tuple[int, ...]:
        """A strong series has a serial run."""
        return (1,) if self.scaling == "strong" else ()


class ConvolutionStudy(Study, ConvolutionSettings):
    """A matrix of runs of one convolution.

    `stores`: by which backends that have several write y, or "faster": the first launch of each point finds out.
    """

    repeats: Count = 3
    warmups: Warmups = 1
    images: str = "sample"
    weights: WeightsName = "random"
    backend: BackendNames = Field(default_factory=lambda: ["simd"])
    movement: MovementNames = Field(default_factory=lambda: ["scatter-gather"])
    save: bool = False
    options: Options = Field(default_factory=dict)
    stores: Annotated[str, _known("stores", (FASTER, *STORES))] = FASTER
    series: Annotated[list[ConvolutionSeries], Field(min_length=1)]


def load(file: studies.StudyFile, overrides: Overrides) -> LoadedStudy:
    """The study of a file, with the command line's overrides. Raises Refusal."""
    document, path = copy.deepcopy(file.document), file.path
    document.setdefault("images", "sample")
    _resolve_images(document, path.parent)
    document = override(document, overrides)
    return LoadedStudy(check(document, path.name), document, path.name)


def check(document: Mapping[str, Any], source: str) -> ConvolutionStudy:
    """The study of a document. Raises Refusal naming the file and the key."""
    return studies.check(document, source, ConvolutionStudy)


def override(document: Mapping[str, Any], overrides: Overrides) -> dict[str, Any]:
    """The document of the study with the values of the command line in every series. Raises Refusal."""
    result = studies.override(document, overrides, keys=("repeats", "images", "backend", "movement", "stores"))
    batch = tuple(overrides.values.get("batch") or ())
    for series in studies.tables(result) or []:
        if batch:
            _override_batch(series, batch)
    return result


def backends(study: ConvolutionStudy) -> set[str]:
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


def _override_batch(series: dict[str, Any], batch: tuple[int, ...]) -> None:
    if series.get("scaling") == "size":
        series["batch"] = list(batch)
    elif len(batch) > 1:
        given = ",".join(map(str, batch))
        raise Refusal(f"--batch {given}: series {series.get('name')} takes one batch; only a size series takes several")
    elif series.get("scaling") == "weak":
        series["batch_per_rank"] = batch[0]
    else:
        series["problem"] = {**series.get("problem", {}), "batch": batch[0]}


def _resolve_images(document: dict[str, Any], folder: Path) -> None:
    """A study's own relative folder of pictures lies beside the study."""
    series = document.get("series")
    for table in [document, *(series if isinstance(series, list) else [])]:
        images = table.get("images") if isinstance(table, dict) else None
        if isinstance(images, str) and images not in IMAGES:
            table["images"] = str(folder / Path(images).expanduser())
