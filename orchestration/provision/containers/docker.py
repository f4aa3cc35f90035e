"""Runs the commands of this machine's container engine; a failure is one clear line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.errors import Refusal

INSTALL = "install and start one: on Debian 'apt-get install docker.io docker-compose'"
ASK_S = 30.0
BUILD_S = 1200.0


class EngineError(Exception):
    """A command of the engine failed; the message is the last line that it printed."""


@dataclass(frozen=True)
class Engine:
    """The engine; `compose` is `docker compose` or docker-compose, `environment` that of its programs."""

    compose: Sequence[str]
    environment: Mapping[str, str]

    @classmethod
    def find(cls, environment: Mapping[str, str]) -> Engine:
        """The engine of this machine. Raises Refusal where none answers, or Compose is missing."""
        bare = cls((), environment)
        try:
            bare.docker("version", "--format", "{{.Server.Version}}", limit_s=ASK_S)
        except EngineError as error:
            raise Refusal(f"no container engine answers on this machine ({error}): {INSTALL}") from error
        for compose in (("docker", "compose"), ("docker-compose",)):
            try:
                bare.run([*compose, "version"], limit_s=ASK_S)
            except EngineError:
                continue
            return cls(compose, environment)
        raise Refusal(f"neither 'docker compose' nor docker-compose is installed: {INSTALL}")

    def docker(self, *arguments: str, stdin: str = "", limit_s: float = ASK_S) -> str:
        """Runs a docker command: its output. Raises EngineError."""
        return self.run(["docker", *arguments], stdin, limit_s)

    def inside(self, container: str, *command: str, user: str = "root", stdin: str = "") -> str:
        """Runs a command in a container: its output. Raises EngineError."""
        return self.docker("exec", "--interactive", "--user", user, container, *command, stdin=stdin)

    def inspect(self, *arguments: str) -> list[dict[str, Any]]:
        """The answer of `docker [network] inspect`, one object a name. Raises EngineError."""
        found: list[dict[str, Any]] = json.loads(self.docker(*arguments))
        return found

    def run(self, argv: Sequence[str], stdin: str = "", limit_s: float = ASK_S) -> str:
        """Runs a command: its output. Raises EngineError where it fails, is missing, or exceeds `limit_s`."""
        try:
            done = subprocess.run(  # noqa: S603  a list of arguments, never a shell's line
                list(argv),
                input=stdin,
                env=dict(self.environment),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=limit_s,
                check=False,
            )
        except FileNotFoundError as error:
            raise EngineError(f"{argv[0]} is not installed") from error
        except subprocess.TimeoutExpired as error:
            raise EngineError(f"{argv[0]} {argv[1]} did not end within {limit_s:.0f} s") from error
        if done.returncode != 0:
            lines = [line for line in (done.stdout + "\n" + done.stderr).splitlines() if line.strip()]
            raise EngineError(lines[-1].strip() if lines else f"{argv[0]} {argv[1]} fails with {done.returncode}")
        return done.stdout
