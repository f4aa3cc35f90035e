"""Carries a study of barriers out, twice: the second time nothing is left to do. Prints what the records say."""

import json
import os
import sys
from pathlib import Path

from orchestration.jobs.environment import kept_environment
from orchestration.paths import RunsFolder
from orchestration.provision.providers import clusters_of
from orchestration.sweep.prepare import Request, Surroundings, prepare
from orchestration.sweep.progress import Lines
from orchestration.sweep.runner import carry_out
from workload.agent.supervise import utc_now
from workload.record.kinds import read_record

study, folder = sys.argv[1:]
runs = RunsFolder(Path(folder) / "runs")
surroundings = Surroundings(clusters_of(Path.cwd(), {}), runs, utc_now, kept_environment(os.environ))
request = Request("local", study, Path(folder) / "out")
prepared = prepare(request, surroundings)
paths = prepared.new_folder()
result = carry_out(prepared, paths, Lines(sys.stderr))
records = [read_record(path) for path in sorted(paths.records.glob("*.json"))]
again = prepare(request, surroundings)
found = again.find()
left = [] if found is None else again.pending(found)
print(json.dumps({"as_planned": result.as_planned, "records": records, "left": len(left)}))
