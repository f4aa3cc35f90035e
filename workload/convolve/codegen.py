"""Turns LLVM IR into machine code and a callable, for the backends that emit their own code.

Knows nothing of what the code computes, and reads no environment variables: LLVM asks the CPU for its features.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import llvmlite.binding as llvm


@dataclass(frozen=True)
class CpuTarget:
    """The CPU that code is made for: LLVM's triple, CPU name and `+feature,-feature` list."""

    triple: str
    cpu: str
    features: str


@cache
def host() -> CpuTarget:
    """This machine's CPU, with every feature it has."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    return CpuTarget(llvm.get_process_triple(), llvm.get_host_cpu_name(), features)


def target_machine(target: CpuTarget) -> llvm.TargetMachine:
    host()  # initialises LLVM
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=3, jit=True
    )


def parse(ir_text: str) -> llvm.ModuleRef:
    """The module, verified. Raises RuntimeError if it is malformed."""
    module = llvm.parse_assembly(ir_text)
    module.verify()
    return module


def optimise(module: llvm.ModuleRef, machine: llvm.TargetMachine) -> None:
    """LLVM's ordinary optimisation without its vectorisers, so that a scalar loop stays scalar."""
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = False
    options.slp_vectorization = False
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)


def compile_module(ir_text: str, target: CpuTarget, optimised: bool) -> bytes:
    """Object code of an IR module.

    Without `optimised` the IR goes to the code generator as it is, which is two to three times as fast and right for
    IR that is explicit about everything. Raises RuntimeError if LLVM rejects the module.
    """
    machine = target_machine(target)
    module = parse(ir_text)
    if optimised:
        optimise(module, machine)
    code: bytes = machine.emit_object(module)
    return code


class Function:
    """A loaded function of int64 arguments, addresses among them, that returns nothing.

    Keeps the engine that owns its code alive. The caller must trust the object code and pass valid arguments.
    """

    def __init__(self, code: bytes, name: str, arguments: int) -> None:
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine(host()))
        self._engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        prototype = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * arguments)
        address = self._engine.get_function_address(name)
        if not address:
            raise RuntimeError(f"the object code has no function {name!r}")
        self._call: Callable[..., None] = prototype(address)

    def __call__(self, *arguments: int) -> None:
        self._call(*arguments)
