"""The shape of the documents that programs pass to each other: their version, keys, and types of values.

Says what is wrong with a document. Reads and writes no files; that is `files.py`. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SCHEMA_VERSION = 1

DEVICE_PARTS = ("distribute", "convolve", "collect", "total")  # of `device_s`
PHASES = ("load", "distribute", "convolve", "collect", "save")


class SchemaError(ValueError):
    """A document is not what its reader expects. The message names the key, or both versions."""


def check_version(document: Mapping[str, Any], name: str, ours: int = SCHEMA_VERSION) -> None:
    """Raises SchemaError, naming both versions, if the document's schema version is not ours."""
    version = document.get("schema_version")
    if version != ours:
        raise SchemaError(
            f"{name}: schema_version {version!r}, but this convscale reads {ours}: use the convscale that wrote it"
        )


def check_shape(value: Any, shape: Any, name: str) -> None:
    """Raises SchemaError at the first key of `value` that is missing or whose type is not the one in `shape`."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            raise SchemaError(f"{name} is not an object")
        for key, inner in shape.items():
            if key not in value:
                raise SchemaError(f"{name} lacks {key}")
            check_shape(value[key], inner, f"{name}.{key}")
    elif isinstance(shape, list):
        if not isinstance(value, list):
            raise SchemaError(f"{name} is not a list")
        for index, item in enumerate(value):
            check_shape(item, shape[0], f"{name}[{index}]")
    elif not isinstance(value, shape) or (isinstance(value, bool) and shape is not bool):
        raise SchemaError(f"{name} = {str(value)[:60]!r} has the wrong type")


_NUMBER = (int, float)
_OPTIONAL_NUMBER = (int, float, type(None))
_RANK_TIMES = {
    "rank": int,
    "phases_s": dict.fromkeys(PHASES, _NUMBER),
    "wait_s": _NUMBER,
    "app_s": _NUMBER,
    "mpi_s": _NUMBER,
    "cpu_s": _NUMBER,
    "convolve_cpu_s": _NUMBER,
}
_REPEAT = {
    "total_s": _NUMBER,
    "forward_s": _NUMBER,
    "convolve_s": _NUMBER,
    "streamed": bool,
    "memory_bound": bool,
    "ranks": [_RANK_TIMES],
}
MEASUREMENT_SHAPE: dict[str, Any] = {
    "schema_version": int,
    "run_id": str,
    "run": dict,
    "warmup_repeats": [_REPEAT],
    "repeats": [_REPEAT],
    "memory": [
        {
            "rank": int,
            "peak_rss_bytes": (int, type(None)),
            "pss_bytes": (int, type(None)),
            "rss_after_phase_bytes": dict,
            "baseline_rss_bytes": int,
            "major_faults": int,
            "swap_bytes": (int, type(None)),
        }
    ],
    "blocks": [{"rank": int, **dict.fromkeys(("batch", "out_channel", "row", "column"), list), "output_elements": int}],
    "mpi_calls": [{"rank": int, "call": str, "count": int, "bytes": int, "time_s": _NUMBER}],
    "check": {
        "repeats_checked": int,
        "rows_checked": int,
        "worst_error_over_tolerance": _OPTIONAL_NUMBER,
        "detectable_abs_error": _OPTIONAL_NUMBER,
        "spots": int,
        "spot_max_abs_error": _OPTIONAL_NUMBER,
        "passed": bool,
    },
    "machines": [{"node": str, "boot_id": str, "cpu_model": str, "rank_placement": list}],
    "clock_agreement": {"wtime_s": _NUMBER, "monotonic_s": _NUMBER},
}
# What a record of any kind has beside its measurement; workload/record/kinds.py puts the two together
OPERATOR_SHAPE: dict[str, Any] = {
    "schema_version": int,
    "run_id": str,
    "run": dict,
    "series": [str],
    "launch": int,
    "sequence": int,
    "attempt": int,
    "outcome": str,
    "reason": str,
    "exit_status": (int, type(None)),
    "started_utc": (str, type(None)),
    "ended_utc": (str, type(None)),
    "log_tail": str,
    "evidence": {"oom_kills": dict, "signal": (int, type(None)), "exception": (str, type(None)), "lost_nodes": [str]},
}
# `slurm` of a record that was made in a Slurm job; older ones are without it
SLURM_SHAPE: dict[str, Any] = {"cluster": str, "job": int, "restarts": int, "shared": bool}
