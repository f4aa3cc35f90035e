"""`fab inventory` and `fab trust` as a person types them: what is wrong is one line and exit status 2."""

import pytest

from tests.orchestration.support import ROOT, refused


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["inventory"], "give --hosts a,b,c (the head first) and --name"),
        (["inventory", "--cluster", "big"], "cluster 'big' is unknown"),
        (["inventory", "--cluster", "local"], "'fab inventory' has no files to write for local (this machine)"),
        (["inventory", "--hosts", "-oProxyCommand=x", "--name", "tests-wrong"], "nodes[0]"),
        (["inventory", "--hosts", "a", "--name", "../x"], "'../x'"),
        (["inventory", "--hosts", "a", "--name", "local"], "the name 'local' is taken (this machine)"),
        (["inventory", "--hosts", "a", "--name", "fat"], "the name 'fat' is taken (Google Cloud)"),
        (["inventory", "--hosts", "a", "--name", "tests-wrong", "--slots", "many"], "--slots 'many' is no whole"),
        (["inventory", "--hosts", "a", "--name", "tests-wrong", "--slots", "0", "--memory-gib", "1"], "slots = 0"),
        (["inventory", "--slurm"], "give --name, the name of the new cluster"),
        (["inventory", "--slurm", "--name", "slurm"], "the name 'slurm' is taken (Slurm)"),
        (["inventory", "--slurm", "--name", "../x"], "'../x'"),
        (["submit", "--cluster", "no-such"], "Slurm cluster 'no-such' is unknown: it is one of slurm"),
        (["trust", "--cluster", "no-such"], "cluster 'no-such' is unknown"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, words):
    assert words in refused(*arguments)
    assert not (ROOT / "infra/clusters" / "tests-wrong").exists()
