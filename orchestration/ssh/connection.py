"""One SSH connection to a node, whose host key must be the pinned one.

Fabric by default accepts any host key that it has not seen; here only the keys in the pinned file are accepted. The
person's ~/.ssh/config is not read: the inventory alone says where to connect.
"""

from __future__ import annotations

import base64
import logging
import selectors
import shlex
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.clusters.inventory import Inventory, Node
from orchestration.errors import Refusal
from orchestration.ssh.known_hosts import Pins, pinned_as, reached_at

CONNECT_S = 5.0
TUNNEL_S = 30.0  # through Google's tunnel the node's first answer takes seconds
KEEPALIVE_S = 2
WAKE_S = 1.0  # how often paramiko's thread wakes while nothing arrives; its default is ten times a second
LIMIT_BYTES = 2**24  # the most that a command may print
LOOK_S = 1.0  # paramiko's wake-up may be lost between threads, so look this often anyway
# Ctrl-C at a terminal reaches every process of its session: it would end the tunnel under a connection that is still
# needed to end a run (paramiko/paramiko#1183)
OWN_SESSION = (sys.executable, "-c", "import os, sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])")
logging.getLogger("paramiko").addHandler(logging.NullHandler())  # its tracebacks help nobody: errors are reported here


class UnreachableError(Exception):
    """Nothing answers, or the connection broke; trying again may help. The message is one line."""


@dataclass(frozen=True)
class Done:
    """The exit status of a command on the node, and what it printed."""

    status: int
    out: bytes
    err: bytes


@dataclass(frozen=True)
class Target:
    """Where to connect, from the inventory; `through` is the head, `tunnel` a command run on this machine."""

    name: str
    host: str
    port: int
    user: str
    known_hosts: Path
    key_file: Path | None
    through: Target | None = None
    tunnel: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return f"{self.name} ({self.host}:{self.port})"


def target(inventory: Inventory, node: Node) -> Target:
    """How the operator reaches the node. Raises Refusal where the inventory lacks something."""
    if inventory.known_hosts is None or inventory.user is None:
        missing = "known_hosts" if inventory.known_hosts is None else "user"
        raise Refusal(f"the inventory of {inventory.cluster} has no {missing}: add it (nothing is trusted unseen)")
    ssh, head = node.ssh, inventory.nodes[0]
    host, port = node.address, 22
    through: Target | None = None
    tunnel: tuple[str, ...] = ()
    if ssh is None or ssh.via == "direct":
        host, port = (ssh.host or host, ssh.port or port) if ssh is not None else (host, port)
    elif ssh.via == "head":
        if node is head:
            raise Refusal(
                f"node {node.name} is the head, so it cannot be reached through itself: give ssh.via 'direct'"
            )
        through, port = target(inventory, head), ssh.port or port
    else:
        tunnel = _iap(node)
    key_file = None if inventory.key_file is None else Path(inventory.key_file)
    return Target(node.name, host, port, inventory.user, Path(inventory.known_hosts), key_file, through, tunnel)


def _iap(node: Node) -> tuple[str, ...]:
    """Google's tunnel to an instance without a public address."""
    ssh = node.ssh
    if ssh is None or not (ssh.project and ssh.zone and ssh.instance):
        raise Refusal(f"node {node.name}: ssh.via 'iap' needs project, zone and instance")
    place = (f"--project={ssh.project}", f"--zone={ssh.zone}", "--listen-on-stdin")
    return (*OWN_SESSION, "gcloud", "compute", "start-iap-tunnel", ssh.instance, "22", *place)


def quote(argv: Sequence[str]) -> str:
    """A list of arguments as one line for the node's shell; nothing else makes such lines."""
    return shlex.join(argv)


class Connection:
    """A connection that opens when it is first used. Close it after use."""

    def __init__(self, to: Target) -> None:
        self.target = to
        self._fabric: Any = None
        self._sftp: Any = None
        self._gateway = Connection(to.through) if to.through is not None else None

    def open(self) -> None:
        """Connects. Raises Refusal where a key or the host key is refused, UnreachableError where nothing answers."""
        if self._fabric is not None:
            return
        made = self._make()
        try:
            with _explained(self.target):
                made.open()
                made.transport.set_keepalive(KEEPALIVE_S)
                made.transport.sock.settimeout(WAKE_S)
        except BaseException:
            made.close()
            raise
        self._fabric = made

    def _make(self) -> Any:
        import fabric
        import paramiko

        to = self.target
        gateway: Any = shlex.join(to.tunnel) if to.tunnel else None
        if self._gateway is not None:
            self._gateway.open()
            gateway = self._gateway._fabric
        own_key = to.key_file is not None
        arguments: dict[str, Any] = {"allow_agent": not own_key, "look_for_keys": not own_key}
        if own_key:
            arguments["key_filename"] = [str(to.key_file)]
        arguments |= {"banner_timeout": TUNNEL_S if to.tunnel else CONNECT_S, "auth_timeout": 2 * CONNECT_S}
        config = fabric.Config(overrides={"load_ssh_configs": False}, lazy=True)
        made = fabric.Connection(
            to.host,
            user=to.user,
            port=to.port,
            config=config,
            gateway=gateway,
            connect_timeout=int(CONNECT_S),
            connect_kwargs=arguments,
        )
        _pin(made.client.get_host_keys(), to)
        made.client.set_missing_host_key_policy(paramiko.RejectPolicy())
        return made

    def begin(self, argv: Sequence[str]) -> Any:
        """Starts a command; returns its channel. Raises as `open` does."""
        self.open()
        with _explained(self.target):
            channel = self._fabric.transport.open_session(timeout=CONNECT_S)
            channel.exec_command(quote(argv))
            return channel

    def run(self, argv: Sequence[str], stdin: bytes = b"", limit_s: float = 60.0) -> Done:
        """Runs a command. Raises UnreachableError where it exceeds `limit_s` or the connection breaks."""
        channel = self.begin(argv)
        with _explained(self.target), closing(channel):
            channel.settimeout(limit_s)
            channel.sendall(stdin)
            channel.shutdown_write()
            out, err = _read(channel, time.monotonic() + limit_s)
            channel.status_event.wait(CONNECT_S)
            status = channel.exit_status
        if status < 0:
            raise UnreachableError(f"{self.target.label}: the connection broke")
        return Done(status, out, err)

    def files(self) -> Any:
        """An SFTP client for the node's files. Raises as `open` does."""
        import paramiko

        self.open()
        if self._sftp is None:
            with _explained(self.target):
                channel = self._fabric.transport.open_session(timeout=CONNECT_S)
                # how long the server may be silent, now and later: one that hangs must not hang us
                channel.settimeout(CONNECT_S)
                channel.invoke_subsystem("sftp")
                self._sftp = paramiko.SFTPClient(channel)
        return self._sftp

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turns errors of the connection into Refusal or UnreachableError."""
        with _explained(self.target):
            yield

    def close(self) -> None:
        """Closes the connection, if it is open; never raises."""
        for item in (self._sftp, self._fabric):
            if item is not None:
                with suppress(Exception):  # it is being closed anyway
                    item.close()
        self._fabric = self._sftp = None
        if self._gateway is not None:
            self._gateway.close()


def _pin(keys: Any, to: Target) -> None:
    """Adds the keys pinned for the target to paramiko's host keys. Raises Refusal."""
    from paramiko import PKey, SSHException
    from paramiko.pkey import UnknownKeyType

    name = pinned_as(to.host, to.port)
    for kind, key in Pins(to.known_hosts).of(name).items():
        try:
            keys.add(name, kind, PKey.from_type_string(kind, base64.b64decode(key)))
        except UnknownKeyType:
            continue  # a type that only OpenSSH knows: the others of the name decide
        except (SSHException, ValueError) as error:
            raise Refusal(
                f"the {kind} key that {to.known_hosts} pins for {name} is damaged: pin it again with 'fab trust'"
            ) from error


def _read(channel: Any, deadline: float) -> tuple[bytes, bytes]:
    """Reads both outputs to their ends, each at most LIMIT_BYTES. Raises UnreachableError, TimeoutError.

    It sleeps until paramiko signals that there is something, so waiting for minutes costs next to nothing.
    """
    streams = [
        (bytearray(), channel.recv_ready, channel.recv),
        (bytearray(), channel.recv_stderr_ready, channel.recv_stderr),
    ]
    with selectors.DefaultSelector() as waiter:
        waiter.register(channel.fileno(), selectors.EVENT_READ)
        while True:
            idle, over = True, channel.eof_received or channel.closed
            for kept, ready, take in streams:
                while ready():
                    kept.extend(take(65536))
                    idle = False
                    if len(kept) > LIMIT_BYTES:
                        raise UnreachableError(f"a command printed more than {LIMIT_BYTES} bytes")
            if idle and over:
                return bytes(streams[0][0]), bytes(streams[1][0])
            left_s = deadline - time.monotonic()
            if left_s <= 0.0:
                raise TimeoutError("no answer in time")
            if idle:
                waiter.select(min(left_s, LOOK_S))


@contextmanager
def _explained(to: Target) -> Iterator[None]:
    """Turns paramiko's errors into one line: Refusal where a person must act, UnreachableError where time may help."""
    import paramiko
    from invoke.exceptions import CommandTimedOut

    pinned = to.known_hosts
    try:
        yield
    except (Refusal, UnreachableError):
        raise
    except paramiko.BadHostKeyException as error:
        raise Refusal(
            f"{to.label} shows the host key {_fingerprint(error.key)}, not the pinned one of {pinned}: "
            "if the node was made anew, pin its key again with 'fab trust'; else somebody may be intercepting it"
        ) from error
    except paramiko.PasswordRequiredException as error:
        raise Refusal(
            f"key {to.key_file} has a passphrase: give a key without one, or load it into the agent"
        ) from error
    except paramiko.AuthenticationException as error:
        key = to.key_file or "any key of the agent or of ~/.ssh"
        raise Refusal(f"{to.label} refuses user {to.user} with {key}: give the right user and key_file") from error
    except paramiko.SSHException as error:
        if "not found in known_hosts" in str(error):
            raise Refusal(
                f"{to.label} has no pinned host key in {pinned}: compare and pin it with 'fab trust'"
            ) from error
        raise UnreachableError(f"{to.label}: {error}") from error
    except FileNotFoundError as error:
        raise Refusal(f"{error.filename} is missing: it is needed to reach {to.label}") from error
    except (OSError, EOFError, CommandTimedOut) as error:
        raise UnreachableError(f"{to.label}: {_words(error)}") from error


def _words(error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        return "the name is not known"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__


def _fingerprint(key: Any) -> str:
    return f"{key.get_name()} SHA256:{fingerprint(key.asbytes())}"


def fingerprint(blob: bytes) -> str:
    """As `ssh-keygen -l` prints it."""
    import hashlib

    return base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def node_known_hosts(inventory: Inventory) -> str:
    """known_hosts for the nodes: the pinned keys under the addresses at which the nodes reach each other.

    Raises Refusal naming the nodes without one.
    """
    pins = Pins(target(inventory, inventory.nodes[0]).known_hosts)
    lines, missing = [], []
    for node in inventory.nodes:
        # pinned under where the operator reaches it, its address or its name
        found = pins.of(pinned_as(*reached_at(node)), node.address, node.name)
        if not found:
            missing.append(node.name)
            continue
        lines += [f"{node.address} {kind} {key}\n" for kind, key in found.items()]
    if missing:
        names = ", ".join(missing)
        raise Refusal(f"{names} has no pinned host key in {inventory.known_hosts}: compare and pin it with 'fab trust'")
    return "".join(lines)
