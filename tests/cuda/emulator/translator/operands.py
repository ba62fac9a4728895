"""A kernel as a C function: its registers, operands and types, and the table of instructions.

Registers hold bits; an instruction's type says how it reads and writes them, as PTX has it.
"""

import re

from .ptx import Label, PTXError

C_TYPE = {
    **{f"{sign}{bits}": f"{prefix}{bits}_t" for bits in (8, 16, 32, 64)
       for sign, prefix in (("u", "uint"), ("s", "int"), ("b", "uint"))},
    "f32": "float",
    "f64": "double",
    "pred": "uint8_t",
}  # fmt: skip
SIZE = {name: int(name[1:]) // 8 for name in C_TYPE if name != "pred"}
SPECIAL = {
    **{f"%{name}.{axis}": f"t->{name}[{i}]" for name in ("tid", "ctaid", "ntid", "nctaid")
       for i, axis in enumerate("xyz")},
    "%laneid": "t->lane",
    "%lanemask_lt": "((UINT32_C(1) << t->lane) - 1)",
    "%lanemask_le": "(UINT32_MAX >> (31 - t->lane))",
    "%lanemask_eq": "(UINT32_C(1) << t->lane)",
    "%lanemask_ge": "(UINT32_MAX << t->lane)",
    "%lanemask_gt": "(UINT32_MAX << t->lane << 1)",
    "WARP_SZ": "32",
}  # fmt: skip

#: How an instruction is written in C: opcode to a function of body, opcode, modifiers, operands.
STATEMENTS = {}


def instruction(*opcodes):
    """Enter a function into the table."""

    def enter(function):
        STATEMENTS.update(dict.fromkeys(opcodes, function))
        return function

    return enter


class Body:
    """One kernel as a C function."""

    def __init__(self, kernel, shared, module_names):
        self.kernel, self.shared, self.globals = kernel, shared, module_names
        self.registers = {name: kind for kind, name in kernel.registers}
        if len(self.registers) < len(kernel.registers):
            raise PTXError(f"{kernel.name}: a register is declared twice")
        self.locals = {variable.name for variable in kernel.variables if variable.space == "local"}
        self.offsets = dict(zip((p.name for p in kernel.parameters), layout(kernel)[0]))

    def source(self):
        """The function, and the sizes and offsets of its parameters."""
        name, parameters = symbol(self.kernel.name), self.kernel.parameters
        lines = [
            _array(f"sizes_{name}", map(bytes_of, parameters)),
            _array(f"offsets_{name}", self.offsets.values()),
            f"static void {name}(struct thread *t) {{",
        ]
        for register, kind in self.registers.items():
            lines.append(f"{C_TYPE[bits_of(kind)]} {c_name(register)} = 0;")
        for variable in self.kernel.variables:
            if variable.space != "local":
                raise PTXError(f"{self.kernel.name}: unsupported variable {variable.name}")
            size = max(bytes_of(variable), 1)
            lines.append(f"char {symbol(variable.name)}[{size}] __attribute__((aligned(16)));")
        lines += map(self.statement, self.kernel.body)
        return "\n".join([*lines, "}"])

    def statement(self, item):
        """A label or an instruction in C."""
        if isinstance(item, Label):
            return f"{symbol(item.name)}: ;"
        try:
            write = STATEMENTS[item.opcode]
            text = write(self, item.opcode, item.modifiers, item.operands)
        except (KeyError, ValueError, IndexError, AttributeError) as error:
            raise PTXError(f"{self.kernel.name}: unsupported instruction: {item}") from error
        if item.guard is None:
            return text
        register, negated = item.guard
        return f"if ({'!' * negated}{c_name(register)}) {{ {text} }}"

    # -- operands ------------------------------------------------------------------------------

    def bits(self, operand):
        """The bits of an operand: a register, a number or an address."""
        if operand in self.registers:
            return c_name(operand)
        if operand in SPECIAL:
            return SPECIAL[operand]
        if operand in self.shared:
            return f"UINT64_C({self.shared[operand]})"
        if operand in self.globals or operand in self.locals:
            return f"(uint64_t)(uintptr_t){symbol(operand)}"
        return number(operand)

    def value(self, operand, kind):
        """An operand as an instruction of a type reads it."""
        if kind in ("f32", "f64"):
            if re.fullmatch(r"0[dD][0-9A-Fa-f]{16}", operand) and kind == "f32":
                return f"(float)f64_of({number(operand)})"
            return f"{kind}_of({self.bits(operand)})"
        if kind == "pred":
            return f"({self.bits(operand)} != 0)"
        return f"(({C_TYPE[kind]})({self.bits(operand)}))"

    def set(self, register, kind, expression):
        """Assign a value of a type."""
        if register == "_":
            return f"(void)({expression});"
        if register not in self.registers:
            raise ValueError(register)
        if kind in ("f32", "f64"):
            expression = f"bits_{kind}({expression})"
        elif kind != "pred":
            expression = f"({C_TYPE[kind]})({expression})"
        return f"{c_name(register)} = {expression};"

    def address(self, operand, space):
        """A pointer from ``[register+8]`` in a state space."""
        base, offset = re.fullmatch(r"\[\s*([\w$%.]+?)\s*(?:\+\s*(-?\w+))?\s*\]", operand).groups()
        if space == "param":
            return f"(t->parameters + {self.offsets[base]} + {offset or 0})"
        start = "t->shared + " if space == "shared" else "(char *)(uintptr_t)"
        return f"({start}({self.bits(base)} + {number(offset or '0')}))"


def symbol(name):
    return "s_" + re.sub(r"\W", lambda found: f"_{ord(found.group()):x}_", name)


def bytes_of(variable):
    return SIZE[variable.type] * (1 if variable.length is None else variable.length)


def layout(kernel):
    """Offsets of the parameters as the driver lays them out, and their total size."""
    offsets, end = [], 0
    for parameter in kernel.parameters:
        align = max(parameter.align, SIZE[parameter.type])
        end = -(-end // align) * align
        offsets.append(end)
        end += bytes_of(parameter)
    return offsets, end


def bits_of(kind):
    """The type without a meaning: what lies in memory or a register."""
    return kind if kind == "pred" else f"b{kind[1:]}"


def unsigned(kind):
    """In which a sum may overflow."""
    return f"u{kind[1:]}" if kind[0] in "sb" else kind


def only(modifiers, known):
    if not set(modifiers) <= known:
        raise ValueError(modifiers)


def vector(operand, lanes):
    """The parts of ``{a, b}``; a single one has no braces."""
    parts = [operand]
    if lanes > 1:
        parts = re.fullmatch(r"\{(.*)\}", operand).group(1).split(",")
    if len(parts) != lanes:
        raise ValueError(operand)
    return [part.strip() for part in parts]


def c_name(name):
    return "r" + name.replace("%", "_").replace(".", "_")


def number(text):
    if re.fullmatch(r"0[fF][0-9A-Fa-f]{8}", text):
        return f"UINT32_C(0x{text[2:]})"
    if re.fullmatch(r"0[dD][0-9A-Fa-f]{16}", text):
        return f"UINT64_C(0x{text[2:]})"
    number = {"true": 1, "false": 0}.get(text)
    number = int(text.rstrip("U"), 0) if number is None else number
    return f"UINT64_C(0x{number % 2**64:x})"


def _array(name, numbers):
    return f"static const uint32_t {name}[] = {{{', '.join([*map(str, numbers), '0'])}}};"
