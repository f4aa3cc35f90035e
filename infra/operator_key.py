"""The operator's key of a cluster: an ed25519 pair beside the cluster's other files, made where it is missing."""

from __future__ import annotations

import os
from pathlib import Path

NAME = "id_ed25519"


def public_line(folder: Path, make: bool) -> str | None:
    """The public key's line; None where there is no pair and none is to be made. Raises OSError, ValueError."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    file = folder / NAME
    if file.exists():
        private = form.load_ssh_private_key(file.read_bytes(), password=None)
    elif make:
        private = Ed25519PrivateKey.generate()
        pem = private.private_bytes(form.Encoding.PEM, form.PrivateFormat.OpenSSH, form.NoEncryption())
        write(file, pem, 0o600)
    else:
        return None
    public = private.public_key().public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH)
    line = f"{public.decode('ascii')} operator"
    if make:
        write(file.with_name(NAME + ".pub"), f"{line}\n".encode("ascii"), 0o644)
    return line


def write(file: Path, content: bytes, mode: int) -> None:
    """A file whole or not at all, never readable by more than `mode` lets. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(file)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
