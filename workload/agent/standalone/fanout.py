"""Runs one command on many nodes at once, over SSH, from the head, so that the operator needs one connection only.

Sent, bundled, to a head that may have no workload yet. Reads a request as JSON on standard input and answers with a
JSON list in the order of the request's hosts:

    {"hosts": [address ..], "head": address, "argv": [..], "command": the same, quoted, "stdin": text,
     "stdin_file": path on the head or null, "options": [ssh's ..], "known_hosts": text, "limit_s": s}
    [{"status": n or null, "stdout": text, "stderr": text, "began": s, "ended": s} ..]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

AT_ONCE = 32
KEPT_BYTES = 2**20  # of a node's output, its end


def one(request: dict[str, Any], host: str, known_hosts: str) -> dict[str, Any]:
    """Runs the command on one host. `status` is None if it took too long; times are by this node's clock."""
    argv = request["argv"]
    if host != request["head"]:
        argv = ["ssh", *request["options"], "-o", f"UserKnownHostsFile={known_hosts}", "--", host, request["command"]]
    began = time.time()
    status, out, err = carry_out(argv, request)
    times = {"began": began, "ended": time.time()}
    return {"status": status, "stdout": _text(out), "stderr": _text(err), **times}


def carry_out(argv: list[str], request: dict[str, Any]) -> tuple[int | None, bytes, bytes]:
    """Runs a command with the request's text or file as its input; returns exit status, output and errors."""
    limit_s = request["limit_s"]
    try:
        with tempfile.TemporaryFile() if request["stdin_file"] is None else open(request["stdin_file"], "rb") as file:  # noqa: PTH123
            if request["stdin_file"] is None:
                file.write(request["stdin"].encode())
                file.seek(0)
            done = subprocess.run(argv, stdin=file, capture_output=True, timeout=limit_s, check=False)  # noqa: S603  a list that the operator built
    except subprocess.TimeoutExpired:
        return None, b"", f"no answer within {limit_s:g} s".encode()
    except OSError as error:
        return None, b"", str(error).encode()
    return done.returncode, done.stdout, done.stderr


def _text(content: bytes) -> str:
    return content[-KEPT_BYTES:].decode(errors="replace")


def every(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Runs the command on all hosts."""
    with tempfile.NamedTemporaryFile("w", prefix="convscale-known-hosts-") as file:
        file.write(request["known_hosts"])
        file.flush()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda host: one(request, host, file.name), request["hosts"]))


if __name__ == "__main__":
    json.dump(every(json.load(sys.stdin)), sys.stdout)
