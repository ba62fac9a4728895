"""Instructions that compute: comparisons, conversions, arithmetic and bits.

Approximate functions (``sin.approx``) are computed by the C library, which is more accurate.
Numbers too small to be normal are kept; ``.ftz`` is not supported.
"""

from .operands import C_TYPE, bits_of, c_name, instruction, only, unsigned

COMPARED = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
            "lo": "<", "ls": "<=", "hi": ">", "hs": ">="}  # fmt: skip
ROUNDED = {"rni": "rint", "rzi": "trunc", "rmi": "floor", "rpi": "ceil"}


# -- comparing and choosing --------------------------------------------------------------------


@instruction("setp")
def _setp(body, _, modifiers, operands):
    how, *combined, kind = modifiers
    target, *sources = operands
    a, b = (body.value(source, kind) for source in sources[:2])
    floats = kind in ("f32", "f64")
    answer = _compare_floats(how, a, b) if floats else f"({a} {COMPARED[how]} {b})"
    if combined:
        sign = {"and": "&", "or": "|", "xor": "^"}[combined[0]]
        other = sources[2]
        other = f"{'!' * other.startswith('!')}{body.value(other.lstrip('!'), 'pred')}"
        answer = f"({answer} {sign} {other})"
    return body.set(target, "pred", answer)


@instruction("selp")
def _selp(body, _, modifiers, operands):
    (kind,) = modifiers
    target, a, b, which = operands
    chosen = (body.value(a, bits_of(kind)), body.value(b, bits_of(kind)))
    return body.set(target, bits_of(kind), f"{c_name(which)} ? {chosen[0]} : {chosen[1]}")


# -- converting --------------------------------------------------------------------------------


@instruction("cvt")
def _cvt(body, _, modifiers, operands):
    *how, to, of = modifiers
    target, source = operands
    floats = [kind in ("f32", "f64") for kind in (to, of)]
    value = body.value(source, of)
    whole = [ROUNDED[name] for name in how if name in ROUNDED]
    if floats[1] and (floats[0] or whole):
        only(how, {"rn", *ROUNDED})
        if whole:
            value = f"{whole[0]}({value})"
    else:  # from an integer
        only(how, {"rn"} if floats[0] else set())
    if floats[1] and not floats[0]:
        if not whole:
            raise ValueError(how)
        value = f"to_{to}({value})"
    return body.set(target, to, f"({C_TYPE[to]})({value})")


# -- arithmetic --------------------------------------------------------------------------------


@instruction("add", "sub", "and", "or", "xor")
def _binary(body, opcode, modifiers, operands):
    kind = plain_kind(modifiers)
    sign = {"add": "+", "sub": "-", "and": "&", "or": "|", "xor": "^"}[opcode]
    a, b = (body.value(source, unsigned(kind)) for source in operands[1:])
    return body.set(operands[0], kind, f"{a} {sign} {b}")


@instruction("mul", "mad")
def _mul(body, opcode, modifiers, operands):
    target, *sources = operands
    kind = modifiers[-1]
    if kind in ("f32", "f64"):
        if opcode == "mad":
            return _fma(body, opcode, modifiers, operands)
        only(modifiers[:-1], {"rn"})
        return body.set(target, kind, " * ".join(body.value(s, kind) for s in sources))
    (part,) = modifiers[:-1]
    a, b = (body.value(source, kind) for source in sources[:2])
    wide = f"{kind[0]}{int(kind[1:]) * 2}"
    product, kept = {
        # unsigned, which may overflow; 16 bits would be promoted to signed ones
        "lo": lambda: (f"(uint64_t){a} * (uint64_t){b}", kind),
        "hi": lambda: (f"mulhi_{kind}({a}, {b})", kind),
        "wide": lambda: (f"({C_TYPE[wide]}){a} * ({C_TYPE[wide]}){b}", wide),
    }[part]()
    if opcode == "mad":
        product = f"{product} + {body.value(sources[2], unsigned(kept))}"
    return body.set(target, kept, product)


@instruction("fma")
def _fma(body, _, modifiers, operands):
    kind = modifiers[-1]
    only(modifiers[:-1], {"rn"})
    values = ", ".join(body.value(source, kind) for source in operands[1:])
    return body.set(operands[0], kind, f"fma{suffix(kind)}({values})")


@instruction("div", "rem")
def _div(body, opcode, modifiers, operands):
    kind = modifiers[-1]
    a, b = (body.value(source, kind) for source in operands[1:])
    if kind in ("f32", "f64") and opcode == "div":
        only(modifiers[:-1], {"rn", "full", "approx"})
        return body.set(operands[0], kind, f"{a} / {b}")
    only(modifiers[:-1], set())
    return body.set(operands[0], kind, f"{opcode}_{kind}({a}, {b})")


@instruction("neg", "not", "abs")
def _unary(body, opcode, modifiers, operands):
    kind = plain_kind(modifiers)
    if opcode == "not" and kind == "pred":
        return body.set(operands[0], kind, f"!{body.value(operands[1], kind)}")
    if kind in ("f32", "f64"):
        value = body.value(operands[1], kind)
        name = {"neg": "-", "abs": f"fabs{suffix(kind)}"}[opcode]
        return body.set(operands[0], kind, f"{name}({value})")
    value = body.value(operands[1], unsigned(kind))
    negative = f"{body.value(operands[1], kind)} < 0"
    answer = {"neg": f"0 - {value}", "not": f"~{value}"}
    answer["abs"] = f"{negative} ? 0 - {value} : {value}"
    return body.set(operands[0], kind, answer[opcode])


@instruction("min", "max")
def _extreme(body, opcode, modifiers, operands):
    kind = plain_kind(modifiers)
    a, b = (body.value(source, kind) for source in operands[1:])
    if kind in ("f32", "f64"):
        return body.set(operands[0], kind, f"{opcode}_{kind}({a}, {b})")
    sign = "<" if opcode == "min" else ">"
    return body.set(operands[0], kind, f"{a} {sign} {b} ? {a} : {b}")


@instruction("sqrt", "rsqrt", "rcp", "ex2", "lg2", "sin", "cos", "tanh")
def _function(body, opcode, modifiers, operands):
    kind = modifiers[-1]
    only(modifiers[:-1], {"rn", "approx"})
    one = {"f32": "1.0f", "f64": "1.0"}[kind]
    s = suffix(kind)
    call = {
        "rsqrt": f"{one} / sqrt{s}(%s)",
        "rcp": f"{one} / (%s)",
        "ex2": f"exp2{s}(%s)",
        "lg2": f"log2{s}(%s)",
    }.get(opcode, f"{opcode}{s}(%s)")
    return body.set(operands[0], kind, call % body.value(operands[1], kind))


@instruction("copysign")
def _copysign(body, _, modifiers, operands):
    (kind,) = modifiers
    sign, size = (body.value(source, kind) for source in operands[1:])
    return body.set(operands[0], kind, f"copysign{suffix(kind)}({size}, {sign})")


# -- bits --------------------------------------------------------------------------------------


@instruction("shl", "shr")
def _shift(body, opcode, modifiers, operands):
    (kind,) = modifiers
    name = f"shl_{kind[1:]}" if opcode == "shl" else f"shr_{kind.replace('b', 'u')}"
    value, by = body.value(operands[1], kind), body.value(operands[2], "u32")
    return body.set(operands[0], kind, f"{name}({value}, {by})")


@instruction("shf")
def _funnel(body, _, modifiers, operands):
    side, how, _ = modifiers
    low, high, by = (body.value(source, "u32") for source in operands[1:])
    by = {"wrap": f"({by} & 31)", "clamp": f"({by} > 32 ? 32 : {by})"}[how]
    both = f"((uint64_t){high} << 32 | {low})"
    answer = {"l": f"{both} << {by} >> 32", "r": f"{both} >> {by}"}[side]
    if side == "l" and how == "clamp":
        answer = f"{by} == 32 ? {low} : (uint32_t)({answer})"
    return body.set(operands[0], "b32", answer)


@instruction("popc", "clz", "brev")
def _count(body, opcode, modifiers, operands):
    (kind,) = modifiers
    value = body.value(operands[1], kind)
    call = "__builtin_popcountll" if opcode == "popc" else f"{opcode}_{kind[1:]}"
    return body.set(operands[0], kind if opcode == "brev" else "u32", f"{call}({value})")


@instruction("bfind")
def _bfind(body, _, modifiers, operands):
    *shift, kind = modifiers
    only(shift, {"shiftamt"})
    value = body.value(operands[1], kind)
    if kind[0] == "s":
        value = f"({value} < 0 ? ~{value} : {value})"
    bits = int(kind[1:])
    zeros = f"clz_{bits}({value})"
    found = zeros if shift else f"({bits - 1} - {zeros})"
    answer = f"{zeros} == {bits} ? UINT32_MAX : {found}"
    return body.set(operands[0], "u32", answer)


@instruction("bfe")
def _bfe(body, _, modifiers, operands):
    (kind,) = modifiers
    if kind[0] != "u":
        raise ValueError(kind)
    value, at, length = (body.value(s, k) for s, k in zip(operands[1:], (kind, "u32", "u32")))
    return body.set(operands[0], kind, f"bfe_u({value}, {at}, {length}, {kind[1:]})")


@instruction("bfi")
def _bfi(body, _, modifiers, operands):
    (kind,) = modifiers
    kinds = (kind, kind, "u32", "u32")
    values = ", ".join(body.value(s, k) for s, k in zip(operands[1:], kinds))
    return body.set(operands[0], kind, f"bfi({values}, {kind[1:]})")


@instruction("prmt", "lop3")
def _bytes_and_tables(body, opcode, modifiers, operands):
    if modifiers != ("b32",):
        raise ValueError(modifiers)
    values = ", ".join(body.value(source, "u32") for source in operands[1:])
    return body.set(operands[0], "b32", f"{opcode}({values})")


def plain_kind(modifiers):
    """The type, where nothing else but rounding to nearest is asked for."""
    *rest, kind = modifiers
    only(rest, {"rn"})
    return kind


def suffix(kind):
    return "f" if kind == "f32" else ""


def _compare_floats(how, a, b):
    """Comparisons are false with NaN; those that end in u, and ``nan``, are true with it."""
    if how in ("nan", "num"):
        return f"{'!' * (how == 'num')}isunordered({a}, {b})"
    ordered = how.removesuffix("u") if how not in COMPARED else how
    answer = f"({a} {COMPARED[ordered]} {b})"
    if how == "ne":
        return f"(!isunordered({a}, {b}) & {answer})"
    return answer if how == ordered else f"(isunordered({a}, {b}) | {answer})"
