"""From PTX to C: a text with all kernels of a module."""

import re
import sys

from . import computing, moving  # noqa: F401 - they fill the table of instructions
from .operands import C_TYPE, Body, bits_of, bytes_of, layout, symbol
from .ptx import Label, PTXError, parse

__all__ = ["main", "translate"]

# Instructions at which threads meet: those of a block must then be alive at once.
COLLECTIVE = {"bar", "barrier", "shfl", "vote", "match"}


def translate(text):
    """The C source of all kernels of a PTX module.

    Raises
    ------
    PTXError
        For an instruction that is not known; the message has the kernel and the instruction.
    """
    module = parse(text)
    shared, total = {}, 0
    for variable in module.variables:
        if variable.space == "shared":
            total = -(-total // 16) * 16
            shared[variable.name] = total
            total += bytes_of(variable)
    globals_ = [v for v in module.variables if v.space in ("global", "const")]
    parts = ['#include "kernel.h"', *map(_global, globals_)]
    for kernel in module.kernels:
        parts.append(Body(kernel, shared, {v.name for v in globals_}).source())
    rows = "".join(_entry(kernel, -(-total // 16) * 16) for kernel in module.kernels)
    parts.append(f"const struct kernel kernels[] = {{{rows}{{0}}}};")
    rows = "".join(f'{{"{v.name}", {symbol(v.name)}, sizeof {symbol(v.name)}}}, ' for v in globals_)
    parts.append(f"const struct variable variables[] = {{{rows}{{0}}}};")
    return "\n".join(parts) + "\n"


def _global(variable):
    length = 1 if variable.length is None else max(variable.length, 1)
    value = variable.value or "{0}"
    if variable.type.startswith("f") or not re.fullmatch(r"[\s{},0-9xXA-Fa-f-]+", value):
        raise PTXError(f"{variable.name}: only whole numbers are supported as initial values")
    value = value if value.startswith("{") else f"{{{value}}}"
    kind = C_TYPE[bits_of(variable.type)]
    return (
        f"static {kind} {symbol(variable.name)}[{length}] __attribute__((aligned(64))) = {value};"
    )


def _entry(kernel, shared):
    name = symbol(kernel.name)
    together = int(any(i.opcode in COLLECTIVE for i in kernel.body if not isinstance(i, Label)))
    return (
        f'{{"{kernel.name}", {name}, {len(kernel.parameters)}, sizes_{name}, offsets_{name}, '
        f"{layout(kernel)[1]}, {shared}, {together}}}, "
    )


def main():
    """Read PTX from a file and write C to another."""
    source, target = sys.argv[1:]
    try:
        with open(source, encoding="utf-8") as file:
            answer = translate(file.read())
    except PTXError as error:
        sys.exit(f"emulated GPU: {error}")
    with open(target, "w", encoding="utf-8") as file:
        file.write(answer)
