"""What a person types to make a cluster, and reads where it is wrong: one line and exit status 2."""

import pytest

from tests.orchestration.support import ROOT, fab, refused

TASKS = ("up", "down", "push", "inventory", "trust", "ssh", "clean")


def test_the_menu_has_them():
    listed = fab("--list").stdout
    assert all(f"  {name} " in listed for name in TASKS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["up", "--cluster", "compose-lite"], "'compose-lite' is unknown (did you mean compose-light?)"),
        (["down", "--cluster", "local"], "cluster local is this machine, which fab does not take down"),
        (["up", "--cluster", "local"], "cluster local is this machine, and always up"),
        (
            ["up", "--cluster", "compose-fat", "--budget", "5"],
            "--budget, --keep and --replace are for clusters on Google Cloud",
        ),
        (["up"], "cluster '' is unknown"),
        (["down", "--orphans", "--cluster", "compose-fat"], "containers leave nothing behind"),
        (["up", "--cluster", "fat", "--budget", "much"], "--budget 'much' is no amount"),
        (["up", "--cluster", "Pulumi.big.yaml"], "cluster 'Pulumi.big.yaml' is unknown"),
        (["down", "--orphans", "--yes"], "would delete every cluster of the project: name one"),
        (["inventory", "--cluster", "big"], "cluster 'big' is unknown"),
        (["inventory", "--cluster", "local"], "'fab inventory' has no files to write for local (this machine)"),
        (["sweep", "--cluster", "fat"], "cluster fat is not up: start it with 'fab up --cluster fat'"),
        (["push", "--cluster", "local"], "is this machine"),
        (["ssh", "--cluster", "local"], "is this machine"),
        (["trust", "--cluster", "no-such"], "cluster 'no-such' is unknown"),
        (["report", "--cluster", "no-such"], "cluster 'no-such' is unknown"),
        (["check", "--study", "no-such"], "study 'no-such' is unknown"),
        (["clean", "--cluster", "local", "--sweep", "/no"], "--sweep /no is no sweep's folder"),
        (["push", "--cluster", "/no/inventory.json"], "/no/inventory.json: the inventory cannot be read"),
        (
            ["sweep", "--cluster", "local", "--down-after"],
            "cluster local is this machine, which fab does not take down",
        ),
        (["inventory", "--hosts", "-oProxyCommand=x", "--name", "tests-hostile"], "nodes[0]"),
        (["inventory", "--hosts", "a", "--name", "../x"], "'../x'"),
        (["inventory", "--hosts", "a", "--name", "local"], "the name 'local' is taken (this machine)"),
        (
            ["inventory", "--hosts", "a", "--name", "tests-slots", "--slots", "many"],
            "--slots 'many' is no whole number",
        ),
        (["inventory", "--hosts", "a", "--name", "tests-slots", "--slots", "0", "--memory-gib", "1"], "slots = 0"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, words):
    assert words in refused(*arguments)
    assert not (ROOT / "infra/clusters" / "tests-hostile").exists()
    assert not (ROOT / "infra/clusters" / "tests-slots").exists()


def test_without_an_engine_up_says_what_to_install(tmp_path):
    words = "no container engine answers on this machine (docker is not installed)"
    assert words in refused("up", "--cluster", "compose-light", PATH=str(tmp_path))


def test_without_pulumi_up_says_what_to_install(tmp_path):
    assert "the program 'pulumi' is not on PATH: install it" in refused("up", "--cluster", "fat", PATH=str(tmp_path))
