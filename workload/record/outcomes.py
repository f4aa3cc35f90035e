"""How a run can end: the values of a record's `outcome` (docs/formats.md, Outcomes)."""

OK = "ok"
WRONG_ANSWER = "wrong_answer"
NO_METRIC = "no_metric"  # all went well, but a metric of a person's program cannot be read
OUT_OF_MEMORY = "out_of_memory"
CRASHED = "crashed"
NODE_LOST = "node_lost"
TIMEOUT = "timeout"
LAUNCH_FAILED = "launch_failed"
SKIPPED = "skipped"
OUTCOMES = (OK, WRONG_ANSWER, NO_METRIC, OUT_OF_MEMORY, CRASHED, NODE_LOST, TIMEOUT, LAUNCH_FAILED, SKIPPED)
