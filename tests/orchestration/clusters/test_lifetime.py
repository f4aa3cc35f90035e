import pytest

from orchestration.clusters.lifetime import too_late


@pytest.mark.parametrize(
    ("utc", "takes_s", "words"),
    [
        ("2026-01-01T00:59:00Z", None, None),
        ("2026-01-01T00:59:00Z", 60.0, None),
        ("2026-01-01T00:59:00+00:00", 61.0, "the run takes about 61 s, 60 s are left"),
        ("2026-01-01T01:00:00Z", None, "lifetime ended at 2026-01-01T01:00:00Z"),
    ],
)
def test_a_run_that_would_outlive_the_cluster(utc, takes_s, words):
    assert too_late(None, utc, takes_s) is None
    named = too_late("2026-01-01T01:00:00Z", utc, takes_s, "the runs of launch 2 take")
    assert named == (
        words and too_late("2026-01-01T01:00:00Z", utc, takes_s).replace("run takes", "runs of launch 2 take")
    )
    reason = too_late("2026-01-01T01:00:00Z", utc, takes_s)
    assert reason is None if words is None else reason.startswith("expired: ") and words in reason
