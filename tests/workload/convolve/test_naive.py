"""`naive` is scalar code: that is what it is for."""

from __future__ import annotations

import re

from workload.convolve import naive
from workload.convolve.codegen import host, optimise, parse, target_machine


def test_stays_scalar() -> None:
    module = parse(naive.emit())
    optimise(module, target_machine(host()))
    optimised = str(module)
    assert re.search(r"fmul float", optimised)
    assert not re.search(r"<\d+ x float>", optimised)
