"""The engine's commands, with small programs in its place."""

import pytest

from orchestration.errors import Refusal
from orchestration.provision.containers.docker import Engine, EngineError


def place(tmp_path, **programs):
    """An environment in which only these programs are found, each a shell script's body."""
    for name, body in programs.items():
        path = tmp_path / name.replace("_", "-")
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
    return {"PATH": str(tmp_path)}


def test_no_engine_is_one_line_that_says_what_to_install(tmp_path):
    with pytest.raises(Refusal, match=r"docker is not installed.*apt-get install docker.io"):
        Engine.find(place(tmp_path))


def test_an_engine_that_does_not_run_is_quoted(tmp_path):
    with pytest.raises(Refusal, match="Cannot connect to the daemon"):
        Engine.find(place(tmp_path, docker="echo 'Cannot connect to the daemon' >&2; exit 1"))


def test_compose_is_the_plugin_or_else_the_old_program(tmp_path):
    without = 'case "$1" in compose) exit 1;; esac'
    assert Engine.find(place(tmp_path, docker="exit 0")).compose == ("docker", "compose")
    assert Engine.find(place(tmp_path, docker=without, docker_compose="exit 0")).compose == ("docker-compose",)


def test_no_compose_is_refused(tmp_path):
    with pytest.raises(Refusal, match="neither 'docker compose' nor docker-compose"):
        Engine.find(place(tmp_path, docker='case "$1" in compose) exit 1;; esac'))


def test_a_failure_is_its_last_line(tmp_path):
    engine = Engine((), place(tmp_path, docker="echo first; echo 'no such container' >&2; echo >&2; exit 3"))
    with pytest.raises(EngineError, match=r"^no such container$"):
        engine.docker("inspect", "x")


def test_a_silent_failure_names_its_status(tmp_path):
    with pytest.raises(EngineError, match="docker ps fails with 7"):
        Engine((), place(tmp_path, docker="exit 7")).docker("ps")


def test_a_command_that_never_ends_is_given_up(tmp_path):
    with pytest.raises(EngineError, match="docker ps did not end within"):
        Engine((), place(tmp_path, docker="exec /bin/sleep 60")).docker("ps", limit_s=0.2)


def test_arguments_are_never_a_shells(tmp_path):
    engine = Engine((), place(tmp_path, docker='for word in "$@"; do echo "<$word>"; done'))
    assert engine.inside("c", "echo", "a b; $(x)").splitlines()[-1] == "<a b; $(x)>"
