"""Whether one process of the user's may read another's memory (Linux), as MPI does to copy a large message once.

Containers often forbid it, and MPI then copies twice without a word.
"""

from __future__ import annotations

import ctypes
import functools
import os
import subprocess
import sys

PR_SET_PTRACER = 0x59616D61
PR_SET_PTRACER_ANY = ctypes.c_ulong(-1)
WORD = b"single copy"
# what another rank does: the process and the address are its arguments
READER = """
import ctypes, sys
class IoVector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
size = int(sys.argv[3])
here = ctypes.create_string_buffer(size)
mine, theirs = IoVector(ctypes.addressof(here), size), IoVector(int(sys.argv[2]), size)
read = ctypes.CDLL(None).process_vm_readv
print(read(int(sys.argv[1]), ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0), here.raw == bytes.fromhex(sys.argv[4]))
"""


@functools.cache
def works() -> bool:
    """True where another process read a word of this one's memory: a test that starts one, once. Disturbs no MPI."""
    word = ctypes.create_string_buffer(WORD, len(WORD))
    try:
        # as MPI's ranks do where only descendants may be read (Yama)
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0)
        done = subprocess.run(  # noqa: S603  our own interpreter
            [
                *(sys.executable, "-E", "-s", "-c", READER),
                *(str(os.getpid()), str(ctypes.addressof(word)), str(len(WORD)), WORD.hex()),
            ],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, AttributeError, subprocess.SubprocessError):
        return False
    return done.stdout.split() == [str(len(WORD)), "True"]
