"""`fab sweep` with another program in the ranks' place; arguments: RUNS_FOLDER BEHAVIOUR FLAG=VALUE ..."""

import os
import sys
from pathlib import Path

from invoke.context import Context
from invoke.exceptions import Exit

from orchestration import tasks
from orchestration.launch import kept_environment
from orchestration.paths import RunsFolder
from orchestration.sweep import Surroundings
from tests.orchestration.support import ROOT
from workload.supervise import utc_now

runs, behaviour, *flags = sys.argv[1:]
given = dict(flag.split("=", 1) for flag in flags)
program = ("-m", "workload") if behaviour == "real" else ("-m", "tests.orchestration.fake_workload", behaviour)
tasks.surroundings = lambda: Surroundings(
    ROOT, RunsFolder(Path(runs)), utc_now, kept_environment(dict(os.environ)), program
)
if behaviour != "real":
    tasks._report = lambda *_: None  # the records of a fake say nothing worth a report
try:
    tasks.sweep(
        Context(), **{name: value == "yes" if value in ("yes", "no") else value for name, value in given.items()}
    )
except Exit as exit_:
    print(exit_.message or "", file=sys.stderr)
    raise SystemExit(exit_.code) from exit_
