"""`fab up` and `fab down` as a person types them: what is wrong is one line and exit status 2."""

import pytest

from tests.orchestration.support import refused


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["up", "--cluster", "compose-lite"], "'compose-lite' is unknown (did you mean compose-light?)"),
        (["up", "--cluster", "Pulumi.big.yaml"], "cluster 'Pulumi.big.yaml' is unknown"),
        (["up"], "cluster '' is unknown"),
        (["up", "--cluster", "local"], "cluster local is this machine, and always up"),
        (["down", "--cluster", "local"], "cluster local is this machine, which fab does not take down"),
        (["sweep", "--cluster", "local", "--down-after"], "this machine, which fab does not take down"),
        (["up", "--cluster", "compose-fat", "--budget", "5"], "--budget, --keep and --replace are for clusters on"),
        (["up", "--cluster", "fat", "--build-tools"], "--build-tools is for containers; install compilers"),
        (["up", "--cluster", "fat", "--budget", "much"], "--budget 'much' is no amount"),
        (["down", "--orphans", "--cluster", "compose-fat"], "containers leave nothing behind"),
        (["down", "--orphans", "--yes"], "would delete every cluster of the project: name one"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, words):
    assert words in refused(*arguments)


def test_without_an_engine_up_says_what_to_install(tmp_path):
    words = "no container engine answers on this machine (docker is not installed)"
    assert words in refused("up", "--cluster", "compose-light", PATH=str(tmp_path))


def test_without_pulumi_up_says_what_to_install(tmp_path):
    assert "the program 'pulumi' is not on PATH: install it" in refused("up", "--cluster", "fat", PATH=str(tmp_path))
