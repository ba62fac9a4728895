"""A reader of PTX, as far as NVIDIA's compiler writes it for kernels of numba-cuda.

Follows the grammar of NVIDIA's "Parallel Thread Execution ISA": a module is a list of variables and
kernels, a kernel a list of declarations, labels and instructions. Nothing is interpreted here.
"""

import re
from typing import NamedTuple

__all__ = ["Instruction", "Kernel", "Label", "Module", "PTXError", "Variable", "parse"]

_IGNORED = {".version", ".target", ".address_size", ".pragma", ".loc", ".file", ".section"}
_LINKAGE = {".visible", ".extern", ".weak", ".common"}
_VARIABLE = re.compile(
    r"\.(?P<space>global|const|shared|local)\s+(?:\.align\s+(?P<align>\d+)\s+)?"
    r"\.(?P<type>\w+)\s+(?P<name>[\w$%]+)(?P<length>\s*\[\s*\d*\s*\])?"
    r"(?:\s*=\s*(?P<value>.+))?$",
    re.DOTALL,
)
_REGISTERS = re.compile(r"\.reg\s+\.(\w+)\s+(.+)$", re.DOTALL)
_ENTRY = re.compile(r"\.entry\s+([\w$]+)\s*(?:\((.*?)\))?[^()]*$", re.DOTALL)
_PARAMETER = re.compile(
    r"\.param\s+(?:\.align\s+(\d+)\s+)?\.(\w+)\s+"
    r"(?:\.ptr\s+(?:\.(?!align)\w+\s+)?(?:\.align\s+\d+\s+)?)?([\w$]+)(?:\[(\d+)\])?"
)
_GUARD = re.compile(r"@(!?)(%[\w.]+)\s+")
_LABEL = re.compile(r"\s*([\w$]+)\s*:(?!:)")
_SCOPES = "{} \t\n"  # blocks within a kernel: their names are told apart by the compiler


class PTXError(Exception):
    """What the emulator cannot read or run; names the place."""


class Variable(NamedTuple):
    """A variable of a module or a kernel, or a kernel's parameter."""

    name: str
    space: str
    type: str
    length: int | None  # elements; None for a scalar, 0 for memory that the launch sizes
    align: int
    value: str | None


class Label(NamedTuple):
    """A place that branches go to."""

    name: str


class Instruction(NamedTuple):
    """``@!p1 opcode.modifier.type operands``."""

    guard: tuple[str, bool] | None  # register; whether it must be false
    opcode: str
    modifiers: tuple[str, ...]
    operands: tuple[str, ...]

    def __str__(self):
        guard = "" if self.guard is None else f"@{'!' * self.guard[1]}{self.guard[0]} "
        return f"{guard}{'.'.join((self.opcode, *self.modifiers))} {', '.join(self.operands)}"


class Kernel(NamedTuple):
    """An entry."""

    name: str
    parameters: list[Variable]
    registers: list[tuple[str, str]]  # type, name
    variables: list[Variable]
    body: list[Label | Instruction]


class Module(NamedTuple):
    """All of a text."""

    variables: list[Variable]
    kernels: list[Kernel]


def parse(text):
    """Read a module.

    Raises
    ------
    PTXError
        For what this reader does not know, such as functions that are called.
    """
    text = re.sub(r"/\*.*?\*/", " ", re.sub(r"//[^\n]*", "", text), flags=re.DOTALL)
    module = Module([], [])
    for head, body in _statements(text):
        words = head.split()
        while words and words[0] in _LINKAGE:
            words = words[1:]
        if not words or (words[0] in _IGNORED):
            continue
        if body is not None and words[0] == ".entry":
            module.kernels.append(_kernel(head, body))
        elif body is None and _VARIABLE.match(" ".join(words)):
            module.variables.append(_variable(" ".join(words)))
        else:
            raise PTXError(f"unsupported declaration: {' '.join(head.split())[:120]}")
    return module


def _statements(text):
    """Pairs (head, body): up to a semicolon with body None, or a block with its inside.

    Directives that no semicolon ends, ``.version`` and the like, end with their line.
    """
    text = re.sub(r"^\s*\.(version|target|address_size|file|loc)\b[^\n]*$", "", text, flags=re.M)
    place = 0
    while text[place:].strip():
        end = re.compile(r"[;{]").search(text, place)
        if end is None:
            raise PTXError(f"unexpected end: {text[place:].strip()[:80]}")
        initialised = "=" in text[place : end.start()]
        if end.group() == ";" or initialised:  # the braces of an initial value are part of it
            stop = text.index(";", end.start())
            yield text[place:stop].strip(), None
        else:
            stop = _closing(text, end.start())
            yield text[place : end.start()].strip(), text[end.end() : stop]
        place = stop + 1


def _closing(text, opening):
    """Where the brace that opens at a place is closed."""
    depth = 0
    for brace in re.compile(r"[{}]").finditer(text, opening):
        depth += 1 if brace.group() == "{" else -1
        if depth == 0:
            return brace.start()
    raise PTXError("a brace is not closed")


def _variable(text):
    found = _VARIABLE.match(text)
    if found is None:
        raise PTXError(f"unsupported variable: {text[:120]}")
    length = found["length"] and int(found["length"].strip(" []") or 0)
    align = int(found["align"] or 8)
    return Variable(found["name"], found["space"], found["type"], length, align, found["value"])


def _kernel(head, body):
    entry = _ENTRY.search(head)
    if entry is None:
        raise PTXError(f"unsupported entry: {head[:120]}")
    parameters = [
        Variable(name, "param", kind, int(length) if length else None, int(align or 0), None)
        for align, kind, name, length in _PARAMETER.findall(entry.group(2) or "")
    ]
    kernel = Kernel(entry.group(1), parameters, [], [], [])
    if re.search(r"\.param\b", body.replace("ld.param", "")):
        raise PTXError(f"{kernel.name}: calls of functions are not supported")
    for piece in body.split(";"):
        piece = piece.lstrip(_SCOPES).rstrip()
        while label := _LABEL.match(piece):
            kernel.body.append(Label(label.group(1)))
            piece = piece[label.end() :].lstrip(_SCOPES)
        if not piece:
            continue
        if piece.startswith(".reg"):
            kernel.registers.extend(_registers(piece))
        elif piece.startswith("."):
            if piece.split()[0] not in _IGNORED:
                kernel.variables.append(_variable(piece))
        else:
            kernel.body.append(_instruction(piece))
    return kernel


def _registers(text):
    kind, names = _REGISTERS.match(text).groups()
    for name in names.split(","):
        many = re.fullmatch(r"\s*(%[\w.]+)<(\d+)>\s*", name)
        if many:
            yield from ((kind, f"{many.group(1)}{i}") for i in range(int(many.group(2))))
        else:
            yield kind, name.strip()


def _instruction(text):
    guard = _GUARD.match(text)
    name, *operands = text[guard.end() if guard else 0 :].split(None, 1)
    opcode, *modifiers = name.replace("::", "_").split(".")
    return Instruction(
        guard and (guard.group(2), guard.group(1) == "!"),
        opcode,
        tuple(modifiers),
        tuple(_split(operands[0])) if operands else (),
    )


def _split(operands):
    """Operands, which commas separate outside of brackets."""
    return [part.strip() for part in re.split(r",(?![^\[{]*[\]}])", operands)]
