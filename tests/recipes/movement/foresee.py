"""Reads a study and a run that use the movement; prints the run's id and its predicted bytes."""

import json
import sys
from pathlib import Path

from orchestration.experiments.convolution import study
from workload.movement.descriptions.footprint import predict
from workload.record.run import Run

run = Run.from_dict(json.loads(Path(sys.argv[1]).read_text())["run"])
series = {"name": "strong", "scaling": "strong", "ranks": [1, 3], "grid": {"row": "ranks"}}
wanted = {
    "schema_version": 1,
    "name": "recipe",
    "problem": run.problem.as_dict(),
    "backend": [run.backend],
    "movement": [run.movement],
    "series": [series],
}
study.check(wanted, "recipe")
found = predict(run.problem, run.grid, run.movement, run.options, backend=run.backend)
print(json.dumps({"run_id": run.run_id, "moved_bytes": found.moved_bytes, "peak_bytes": found.peak_bytes}))
