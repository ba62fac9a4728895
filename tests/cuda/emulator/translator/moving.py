"""Instructions that move data, and those by which threads branch and meet."""

from .operands import C_TYPE, SIZE, bits_of, c_name, instruction, only, symbol, vector

# What does not change what one thread after the other sees.
HINTS = {"volatile", "relaxed", "acquire", "release", "acq_rel", "weak", "sc", "sys", "gpu", "cta",
         "nc", "cs", "cg", "ca", "cv", "lu", "wt", "wb", "L1_no_allocate", "L1_evict_last",
         "L1_evict_first", "L1_evict_normal", "mmio"}  # fmt: skip
SPACES = {"global", "shared", "local", "const", "param"}


# -- moving data -------------------------------------------------------------------------------


@instruction("mov")
def _mov(body, _, modifiers, operands):
    (kind,) = modifiers
    target, source = operands
    if source.startswith("{"):  # a register from its halves
        low, high = vector(source, 2)
        half = SIZE[kind] * 4
        together = f"{body.value(low, f'u{half}')} | ({body.value(high, kind)} << {half})"
        return f"{c_name(target)} = {together};"
    if target.startswith("{"):
        half, value = SIZE[kind] * 4, body.value(source, bits_of(kind))
        low, high = vector(target, 2)
        return f"{{ {C_TYPE[bits_of(kind)]} x = {value}; " + (
            f"{_unless_sink(low, 'x')} {_unless_sink(high, f'x >> {half}')} }}"
        )
    return body.set(target, bits_of(kind), body.bits(source))


@instruction("cvta")
def _cvta(body, _, modifiers, operands):
    target, source = operands
    if "shared" not in modifiers:
        return body.set(target, "u64", body.bits(source))
    if "to" in modifiers:
        return body.set(target, "u64", f"{body.bits(source)} - (uint64_t)(uintptr_t)t->shared")
    return body.set(target, "u64", f"(uint64_t)(uintptr_t)(t->shared + {body.bits(source)})")


@instruction("ld", "ldu")
def _ld(body, _, modifiers, operands):
    space, lanes, kind = _memory(modifiers)
    targets = vector(operands[0], lanes)
    place = f"(({C_TYPE[bits_of(kind)]} *){body.address(operands[1], space)})"
    plain = kind if kind[0] == "s" else bits_of(kind)
    pause = "" if space in ("param", "local", "const") else "PAUSE(); "
    loaded = (f"{C_TYPE[plain]} x{i} = p[{i}];" for i in range(lanes))
    stored = (body.set(target, plain, f"x{i}") for i, target in enumerate(targets))
    return f"{{ {pause}{C_TYPE[bits_of(kind)]} *p = {place}; {' '.join((*loaded, *stored))} }}"


@instruction("st")
def _st(body, _, modifiers, operands):
    space, lanes, kind = _memory(modifiers)
    sources = vector(operands[1], lanes)
    place = f"(({C_TYPE[bits_of(kind)]} *){body.address(operands[0], space)})"
    pause = "" if space == "local" else "PAUSE(); "
    stored = (f"p[{i}] = {body.value(s, bits_of(kind))};" for i, s in enumerate(sources))
    return f"{{ {pause}{C_TYPE[bits_of(kind)]} *p = {place}; {' '.join(stored)} }}"


@instruction("atom", "red")
def _atom(body, opcode, modifiers, operands):
    """Threads hand over before it, never within: so it happens at once."""
    kind = modifiers[-1]
    space = next((m for m in modifiers if m in SPACES), None)
    (action,) = (m for m in modifiers[:-1] if m not in HINTS | SPACES)
    target, place, *sources = operands if opcode == "atom" else ("_", *operands)
    kind = bits_of(kind) if action in ("exch", "cas") else kind
    a, *b = (body.value(source, kind) for source in sources)
    new = {
        "add": lambda: f"old + {a}",
        "and": lambda: f"old & {a}",
        "or": lambda: f"old | {a}",
        "xor": lambda: f"old ^ {a}",
        "min": lambda: f"{a} < old ? {a} : old",
        "max": lambda: f"{a} > old ? {a} : old",
        "exch": lambda: a,
        "cas": lambda: f"old == {a} ? {b[0]} : old",
        "inc": lambda: f"old >= {a} ? 0 : old + 1",
        "dec": lambda: f"old == 0 || old > {a} ? {a} : old - 1",
    }[action]()
    name = C_TYPE[kind]
    return (
        f"{{ PAUSE(); {name} *p = ({name} *){body.address(place, space)}, old = *p; "
        f"*p = {new}; {body.set(target, kind, 'old')} }}"
    )


# -- control -----------------------------------------------------------------------------------


@instruction("bra")
def _bra(body, _, modifiers, operands):
    only(modifiers, {"uni"})
    return f"goto {symbol(operands[0])};"


@instruction("ret", "exit")
def _ret(body, _, modifiers, operands):
    only(modifiers, {"uni"})
    return "return;"


@instruction("trap")
def _trap(body, _, modifiers, operands):
    return "abort();"


@instruction("membar", "fence", "nanosleep")
def _membar(body, _, modifiers, operands):
    return "PAUSE();"


@instruction("bar", "barrier")
def _bar(body, _, modifiers, operands):
    if modifiers[:2] == ("warp", "sync"):
        return f"t->warp_barrier(t, {body.value(operands[0], 'u32')}, 0);"
    modifiers = tuple(m for m in modifiers if m not in ("cta", "aligned"))
    if modifiers == ("sync",):
        _only_barrier_0(operands)
        return "t->block_barrier(t, 0);"
    _, action, kind = modifiers
    target, *rest, source = operands
    _only_barrier_0(rest)
    negated = source.startswith("!")
    value = f"{'!' * negated}{body.value(source.lstrip('!'), 'pred')}"
    answer = {
        "popc": "t->block_count(t)",
        "and": "t->block_count(t) == t->block_size(t)",
        "or": "t->block_count(t) > 0",
    }[action]
    # the second barrier: nobody comes to another one before all have read
    read = f"t->block_barrier(t, {value}); {body.set(target, kind, answer)}"
    return f"{read} t->block_barrier(t, 0);"


def _only_barrier_0(operands):
    """All threads of the block take part, at barrier 0; others are not supported."""
    if [int(operand) for operand in operands] != [0]:
        raise ValueError(operands)


@instruction("activemask")
def _activemask(body, _, modifiers, operands):
    return body.set(operands[0], "b32", "t->active_mask(t)")


@instruction("vote")
def _vote(body, _, modifiers, operands):
    _, action, kind = modifiers
    target, source, mask = operands
    negated = source.startswith("!")
    value = f"{'!' * negated}{body.value(source.lstrip('!'), 'pred')}"
    mask = body.value(mask, "u32")
    votes = f"ballot(t, {mask}, {value})"
    answer = {"ballot": votes, "all": f"{votes} == {mask}", "any": f"{votes} != 0"}[action]
    return body.set(target, kind, answer)


@instruction("match")
def _match(body, _, modifiers, operands):
    if modifiers != ("any", "sync", "b32"):
        raise ValueError(modifiers)
    target, source, mask = operands
    call = f"match_any(t, {body.value(mask, 'u32')}, {body.value(source, 'u32')})"
    return body.set(target, "b32", call)


@instruction("shfl")
def _shfl(body, _, modifiers, operands):
    _, mode, kind = modifiers
    target, *sources = operands
    target, _, valid = target.partition("|")
    if valid:
        raise ValueError(valid)
    value, b, c, mask = (body.value(source, "u32") for source in sources)
    letter = {"up": "u", "down": "d", "bfly": "b", "idx": "i"}[mode]
    return body.set(target, kind, f"shuffle(t, {mask}, {value}, '{letter}', {b}, {c})")


def _memory(modifiers):
    """Space, number of lanes and type of a load or store."""
    *rest, kind = modifiers
    spaces = [name for name in rest if name in SPACES]
    lanes = [int(name[1:]) for name in rest if name in ("v2", "v4")]
    only(rest, HINTS | SPACES | {"v2", "v4"})
    return (*spaces, None)[0], (*lanes, 1)[0], kind


def _unless_sink(register, expression):
    return "" if register == "_" else f"{c_name(register)} = {expression};"
