"""What a study of a person's own program says beyond every study: `[program]`, its parameters, metrics and success."""

from __future__ import annotations

import copy
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from orchestration.errors import Refusal
from orchestration.experiments.program.flags import metric_of, parameters_of
from orchestration.jobs.launchers import OF_RANKS
from orchestration.messages import unknown
from orchestration.planning import study as studies
from orchestration.planning.study import LoadedStudy, Overrides, Series, SeriesSettings, StrictModel, Study, StudyFile
from workload.record.arithmetic import names_in
from workload.record.numbers import compile_pattern

TABLE = "program"
GIVEN = ("ranks", "nodes", "threads", "launch", "python")  # placeholders that no parameter may be named after
SECRETS = re.compile(r"TOKEN|SECRET|KEY|PASSW", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_]\w*")


def _words(value: Any) -> Any:
    if isinstance(value, str):
        return shlex.split(value)
    if not isinstance(value, list) or not value or not all(isinstance(word, str) and word for word in value):
        raise ValueError("give the words of a command as a list; no shell takes them apart")
    return value


def _inside(value: Any) -> Any:
    for name in value if isinstance(value, list) else [value]:
        path = PurePosixPath(name) if isinstance(name, str) else None
        if path is None or not name or path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{name!r} leaves the program's folder: give a path below it")
    return value


def _parameters(value: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError("give a table of parameters, as { n = 4096 }")
    for name, given in value.items():
        if not _NAME.fullmatch(name) or name in GIVEN:
            why = f"{name} is given by convscale" if name in GIVEN else "letters, digits and _ alone"
            raise ValueError(f"parameter {name!r} cannot be named so: {why}")
        items = given if isinstance(given, list) else [given]
        if not items or not all(type(item) in (int, float, str) for item in items):
            raise ValueError(f"{name} = {given!r} is no number, text or list of them")
    return value


def _environment(value: Any) -> Any:
    for name in value if isinstance(value, dict) else ():
        if SECRETS.search(name):
            raise ValueError(f"{name} looks like a secret, and records hold it: let the program read it from a file")
    return value


def _condition(value: Any) -> Any:
    for text in value if isinstance(value, list) else [value]:
        if not isinstance(text, str):
            raise ValueError(f"{text!r} is no condition: write it as text")
        names_in(text)
    return value


def _number(value: Any) -> Any:
    if isinstance(value, str):
        names_in(value)
    elif type(value) not in (int, float):
        raise ValueError("give a number or an expression")
    return value


Words = Annotated[list[str], BeforeValidator(_words)]
Inside = Annotated[list[str], BeforeValidator(_inside)]
Parameters = Annotated[dict[str, Any], BeforeValidator(_parameters)]
Size = Annotated[Any, BeforeValidator(_number)]
Counts = Annotated[list[Annotated[int, Field(ge=1, le=65536)]], Field(min_length=1)]


class Metric(StrictModel):
    """A number that a run leaves: in its output or a file, by a pattern, a JSON path or a CSV column's last row."""

    pattern: str | None = None
    file: Annotated[str | None, BeforeValidator(lambda value: value if value is None else _inside(value))] = None
    json_path: Annotated[str | None, Field(alias="json")] = None
    csv: str | None = None
    unit: str = ""
    higher: bool = False
    headline: bool = False


class Success(StrictModel):
    """When a run is right: a pattern in its output, its exit status, conditions over metrics and parameters."""

    pattern: str | None = None
    exit_status: Annotated[int, Field(ge=0, le=255)] = 0
    require: Annotated[list[str], BeforeValidator(_condition)] = Field(default_factory=list)


class Program(StrictModel):
    """The program. Paths lie below `folder`, which is the study's own where it is not given."""

    command: Words
    folder: str = ""
    files: Inside | None = None
    templates: Inside = Field(default_factory=list)
    stdin: Annotated[str | None, BeforeValidator(lambda value: value if value is None else _inside(value))] = None
    keep: Inside = Field(default_factory=list)
    build: list[Words] = Field(default_factory=list)
    setup: list[Words] = Field(default_factory=list)
    cleanup: list[Words] = Field(default_factory=list)
    environment: Annotated[dict[str, str], BeforeValidator(_environment)] = Field(default_factory=dict)
    mpi: str | None = None
    large: bool = False
    parameters: Parameters = Field(default_factory=dict)
    size: Size | None = None
    memory_bytes: Size | None = None  # of each rank, at its peak
    metrics: dict[str, Metric] = Field(default_factory=dict)
    success: Success = Success()
    resolved: dict[str, str] = Field(default_factory=dict)  # what a sweep found out, so that its folder can be planned


class ProgramSettings(SeriesSettings):
    """The keys that a series may override; None where it does not."""

    parameters: Parameters | None = None
    size: Size | None = None
    memory_bytes: Size | None = None


class ProgramSeries(Series, ProgramSettings):
    """Strong or weak scaling over rank counts, or over `nodes` times `ranks_per_node`; `uneven` allows unequal work."""

    scaling: Literal["strong", "weak"]
    nodes: Counts | None = None
    ranks_per_node: Counts | None = None
    uneven: bool = False


class ProgramStudy(Study):
    """A matrix of runs of one program."""

    program: Program
    series: Annotated[list[ProgramSeries], Field(min_length=1)]


def improvised(overrides: Overrides, folder: Path) -> StudyFile | None:
    """The study that `--command` stands for, of the program in that folder; None without it. Raises Refusal."""
    if not overrides.values.get("command"):
        return None
    scaling = overrides.values.get("scaling") or "strong"
    words = _split(str(overrides.values["command"]))
    name = re.sub(r"[^a-z0-9]+", "-", PurePosixPath(words[0]).name.lower()).strip("-") or "program"
    document = {
        "schema_version": 1,
        "name": name[:40],
        "program": {"command": words},
        "series": [{"name": scaling, "scaling": scaling}],
    }
    return StudyFile(document, folder / "--command")


def load(file: StudyFile, overrides: Overrides) -> LoadedStudy:
    """The study of a file, with the command line's overrides. Raises Refusal."""
    document, source = copy.deepcopy(file.document), file.path.name
    program = document.get(TABLE)
    if isinstance(program, dict):
        program["folder"] = str(file.path.parent / Path(str(program.get("folder", ""))).expanduser())
    for table in [document, *(studies.tables(document) or [])]:
        if "repeats" in table:
            raise Refusal(f"study {source}: repeats: one mpirun is one measurement of a program; the word is launches")
    document = _override(document, overrides)
    return LoadedStudy(check(document, source), document, source)


def check(document: Mapping[str, Any], source: str) -> ProgramStudy:
    """The study of a document. Raises Refusal naming the file and what is wrong."""
    study = studies.check(document, source, ProgramStudy)
    program = study.program
    try:
        for name, metric in program.metrics.items():
            _check_metric(name, metric)
        headlines = [name for name, metric in program.metrics.items() if metric.headline]
        if len(headlines) > 1:
            raise ValueError(f"{' and '.join(headlines)} are both the headline: let one of them be it")
        if program.success.pattern is not None:
            re.compile(program.success.pattern)
        if program.mpi is not None and program.mpi not in OF_RANKS:
            raise ValueError(unknown("mpi", program.mpi, OF_RANKS))
        for series in study.series:
            if series.ranks_per_node is not None and series.nodes is None:
                raise ValueError(f"series {series.name}: ranks_per_node goes with nodes")
    except (ValueError, re.error) as error:
        raise Refusal(f"study {source}: {error}") from error
    return study


def _check_metric(name: str, metric: Metric) -> None:
    ways = [way for way in (metric.pattern, metric.json_path, metric.csv) if way is not None]
    if len(ways) != 1:
        raise ValueError(f"metric {name}: give one of pattern, json and csv")
    if metric.pattern is not None:
        try:
            compile_pattern(metric.pattern)
        except ValueError as error:
            raise ValueError(f"metric {name}: {error}") from error
    elif metric.file is None:
        raise ValueError(f"metric {name}: json and csv need the file that the run writes")


def _override(document: Mapping[str, Any], overrides: Overrides) -> dict[str, Any]:
    """The document with the command line's values in place of its own. Raises Refusal."""
    values = overrides.values
    result = studies.override(document, overrides, keys=("threads",))
    program, series = result.get(TABLE), studies.tables(result)
    if not isinstance(program, dict) or series is None:
        return result  # the check says what is wrong
    if values.get("command"):
        program["command"] = _split(str(values["command"]))
    program.update({key: values[key] for key in ("mpi", "size") if values.get(key)})
    if given := parameters_of(values.get("parameter") or ()):
        for table in [program, *(item for item in series if "parameters" in item)]:
            table["parameters"] = {**table.get("parameters", {}), **given}
    if values.get("metric"):
        program["metrics"] = _metrics(program.get("metrics", {}), values["metric"])
    if values.get("scaling"):
        for item in series:
            item["scaling"] = values["scaling"]
    return result


def _metrics(known: Mapping[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    """The study's metrics and those of the command line, whose first is the headline. Raises Refusal."""
    given = [metric_of(text) for text in texts]
    names = [name for name, _ in given]
    if twice := [name for name in names if names.count(name) > 1]:
        raise Refusal(f"--metric {twice[0]} stands twice: give each metric its own name")
    rest = {name: {**metric, "headline": False} for name, metric in known.items()}
    return rest | {name: {**metric, "headline": index == 0} for index, (name, metric) in enumerate(given)}


def _split(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise Refusal(f"--command {text!r} cannot be taken apart ({error}): close its quotes") from error
    if not words:
        raise Refusal("--command is empty: give the program and its arguments")
    return words
