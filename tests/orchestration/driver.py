"""`fab sweep` with another program in the ranks' place; arguments: RUNS_FOLDER BEHAVIOUR FLAG=VALUE ...

BEHAVIOUR is one of tests/orchestration/fake_workload.py's, or `real`, or `bare`: real runs, but neither canary nor
report, or `mute-canary`: real runs, and a canary that never answers (`hung-canary`: for a minute). Beside false runs is
no canary either, and `machine`, where it is given, is what this machine says of itself.
"""

import json
import os
import sys
from pathlib import Path
from unittest.mock import patch

from invoke.context import Context
from invoke.exceptions import Exit

from orchestration.checks import canary
from orchestration.executors.local import LocalExecutor
from orchestration.experiments.convolution.experiment import Convolution
from orchestration.forecast.sweep import SweepForecast
from orchestration.jobs.environment import kept_environment, unused
from orchestration.paths import RunsFolder
from orchestration.provision.providers import clusters_of
from orchestration.sweep.prepare import Surroundings
from orchestration.sweep.runner import LedgerExtras
from orchestration.tasks import carried_out, sweep
from workload.agent.supervise import utc_now

ROOT = Path(__file__).resolve().parents[2]
runs, behaviour, *flags = sys.argv[1:]
given = dict(flag.split("=", 1) for flag in flags)
machine = given.pop("machine", None)
whole = behaviour in ("real", "mute-canary", "hung-canary")
real = whole or behaviour == "bare"
played = behaviour == "played-gpu"
program = (
    ("-m", "workload")
    if real
    else ("-m", "tests.orchestration.played_gpu")
    if played
    else ("-m", "tests.orchestration.fake_workload", behaviour)
)
sweep.surroundings = lambda: Surroundings(
    clusters_of(ROOT, os.environ),
    RunsFolder(Path(runs)),
    utc_now,
    kept_environment(os.environ),
    (Convolution(program),),
    remarks=unused(os.environ),
)
if behaviour.endswith("-canary"):
    canary.PROGRAM = ("-c", "import time; time.sleep(600)")
    canary.BRIEF_TIMEOUT_S = 1.0 if behaviour == "mute-canary" else 60.0
SweepForecast.keep = lambda *_: ""  # the errors of forecasts are remembered beside a person's own probe
if machine is not None and not real:
    found = json.loads(machine) | ({"cuda": "found"} if played else {})
    LocalExecutor.machines = lambda _: [found]
if not whole:
    # the records of a fake say nothing worth a report
    patch.object(carried_out, "print_report", lambda *_: None).start()
    SweepForecast.ledger_extras = lambda _: LedgerExtras()
try:
    sweep.sweep(
        Context(),
        parameter=(),
        metric=(),
        **{name: value == "yes" if value in ("yes", "no") else value for name, value in given.items()},
    )
except Exit as exit_:
    print(exit_.message or "", file=sys.stderr)
    raise SystemExit(exit_.code) from exit_
