"""Every instruction that the translator knows, beside what it means in Python's numbers."""

import math
import shutil

import numpy as np
import pytest

from emulator import HERE
from emulator.bare import Refused, module

U32, S32, U64, S64, F32, F64 = (np.dtype(name) for name in ("u4", "i4", "u8", "i8", "f4", "f8"))
U16, S16, U8, S8 = (np.dtype(name) for name in ("u2", "i2", "u1", "i1"))
REGISTER = {1: "b16", 2: "b16", 4: "b32", 8: "b64"}


def letter(dtype):
    """PTX's name of a type."""
    return {"u": "u", "i": "s", "f": "f"}[dtype.kind] + str(dtype.itemsize * 8)


def operands(dtype, count, rng):
    """Numbers of a type at random, and the awkward ones in all combinations."""
    if dtype.kind == "f":
        edge = np.array([0, -0.0, 1, -1, 0.5, 1.5, 2.5, -2.5, 1e30, np.inf, -np.inf, np.nan], dtype)
        free = rng.standard_normal((200, count)) * 10.0 ** rng.integers(-3, 11, (200, count))
    else:
        limits = np.iinfo(dtype)
        edge = np.array([0, 1, 2, 3, 31, 33, 64, limits.max, limits.min, limits.max - 1], dtype)
        free = rng.integers(limits.min, limits.max, (200, count), dtype, endpoint=True)
    grid = np.stack(np.meshgrid(*[edge] * min(count, 2)), -1).reshape(-1, min(count, 2))
    if count == 3:
        grid = np.column_stack([grid, rng.choice(edge, len(grid))])
    return np.concatenate([grid, free.astype(dtype)]).astype(dtype)


def wrap(value, dtype):
    """A whole number as the type holds it."""
    bits = dtype.itemsize * 8
    value = int(value) % 2**bits
    return value - 2**bits if dtype.kind == "i" and value >= 2 ** (bits - 1) else value


def truncated(a, b):
    """The quotient that C has."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def high(a, b, bits):
    return (a * b) >> bits


def shift_left(a, b, bits):
    b %= 2**32
    return a << b if b < bits else 0


def shift_right(a, b, bits):
    return a >> min(b % 2**32, 127)


def saturated(x, dtype, rounded):
    limits = np.iinfo(dtype)
    if math.isnan(x):
        return 0
    if math.isinf(x):
        return limits.max if x > 0 else limits.min
    return min(max(rounded(x), limits.min), limits.max)


def field(a, at, length, bits):
    at, length = at % 256, length % 256
    return 0 if at >= bits else (a >> at) & (2**length - 1)


def inserted(a, b, at, length, bits):
    at, length = at % 256, length % 256
    if at >= bits:
        return b
    mask = ((2**length - 1) << at) % 2**bits
    return (b & ~mask) | ((a << at) & mask)


def permuted(a, b, how):
    every = [(a | b << 32) >> 8 * i & 255 for i in range(8)]
    answer = 0
    for i in range(4):
        control = how >> 4 * i & 15
        byte = every[control & 7]
        answer |= (byte if control < 8 else 255 * (byte >> 7)) << 8 * i
    return answer


def extreme(a, b, which):
    """Of two floats; NaN only where both are, and -0 below 0."""
    known = [x for x in (a, b) if not np.isnan(x)]
    return which(known, key=lambda x: (x, not np.signbit(x)), default=a)


# instruction, with D, A, B, C for registers: what it means; types of the answer and the operands
WHOLE = {
    "add.{t} D, A, B": lambda a, b, n: a + b,
    "sub.{t} D, A, B": lambda a, b, n: a - b,
    "mul.lo.{t} D, A, B": lambda a, b, n: a * b,
    "mad.lo.{t} D, A, B, C": lambda a, b, c, n: a * b + c,
    "div.{t} D, A, B": lambda a, b, n: truncated(a, b) if b else -1,
    "rem.{t} D, A, B": lambda a, b, n: a - b * truncated(a, b) if b else a,
    "min.{t} D, A, B": lambda a, b, n: min(a, b),
    "max.{t} D, A, B": lambda a, b, n: max(a, b),
    "and.b{n} D, A, B": lambda a, b, n: a & b,
    "or.b{n} D, A, B": lambda a, b, n: a | b,
    "xor.b{n} D, A, B": lambda a, b, n: a ^ b,
    "not.b{n} D, A": lambda a, n: ~a,
    "mov.u{n} D, A": lambda a, n: a,
    "shr.{t} D, A, E": shift_right,
    "shl.b{n} D, A, E": shift_left,
    "setp.lt.{t} %q, A, B; selp.{t} D, A, C, %q": lambda a, b, c, n: a if a < b else c,
    "setp.ge.{t} %q, A, B; selp.b{n} D, A, C, %q": lambda a, b, c, n: a if a >= b else c,
    "setp.eq.{t} %q, A, B; @%q mov.b{n} D, A; @!%q mov.b{n} D, C": (
        lambda a, b, c, n: a if a == b else c
    ),
    "setp.ne.{t} %q, A, B; setp.gt.and.{t} %q, A, C, %q; selp.b{n} D, 1, 0, %q": (
        lambda a, b, c, n: a != b and a > c
    ),
    "setp.le.{t} %q, A, 33; selp.b{n} D, -2, 5, %q": lambda a, n: -2 if a <= 33 else 5,
}
SIGNED = {"neg.{t} D, A": lambda a, n: -a, "abs.{t} D, A": lambda a, n: abs(a)}
FLOATS = {
    "add.rn.{t} D, A, B": np.add,
    "sub.{t} D, A, B": np.subtract,
    "mul.rn.{t} D, A, B": np.multiply,
    "div.rn.{t} D, A, B": np.divide,
    "neg.{t} D, A": np.negative,
    "abs.{t} D, A": np.abs,
    "sqrt.rn.{t} D, A": np.sqrt,
    "min.{t} D, A, B": lambda a, b: extreme(a, b, min),
    "max.{t} D, A, B": lambda a, b: extreme(a, b, max),
    "setp.lt.{t} %q, A, B; selp.{t} D, A, C, %q": lambda a, b, c: a if a < b else c,
    "setp.leu.{t} %q, A, B; selp.{t} D, A, C, %q": lambda a, b, c: c if a > b else a,
    "setp.ne.{t} %q, A, B; selp.{t} D, A, C, %q": (
        lambda a, b, c: a if a != b and not np.isnan([a, b]).any() else c
    ),
    "setp.neu.{t} %q, A, B; selp.{t} D, A, C, %q": lambda a, b, c: a if a != b else c,
    "setp.nan.{t} %q, A, B; selp.{t} D, A, C, %q": (
        lambda a, b, c: a if np.isnan([a, b]).any() else c
    ),
    "cvt.rni.{t}.{t} D, A": np.rint,
    "cvt.rzi.{t}.{t} D, A": np.trunc,
    "copysign.{t} D, A, B": lambda a, b: np.copysign(b, a),
}
OTHERS = [
    ("mul.hi.u32 D, A, B", U32, U32, lambda a, b: high(a, b, 32)),
    ("mul.hi.s32 D, A, B", S32, S32, lambda a, b: high(a, b, 32)),
    ("mul.hi.u64 D, A, B", U64, U64, lambda a, b: high(a, b, 64)),
    ("mul.hi.s64 D, A, B", S64, S64, lambda a, b: high(a, b, 64)),
    ("mul.wide.u32 D, A, B", U64, U32, lambda a, b: a * b),
    ("mul.wide.s32 D, A, B", S64, S32, lambda a, b: a * b),
    ("cvt.s64.s32 D, A", S64, S32, lambda a: a),
    ("cvt.u64.u32 D, A", U64, U32, lambda a: a),
    ("cvt.u32.u64 D, A", U32, U64, lambda a: a),
    ("cvt.s32.s8 D, A", S32, S32, lambda a: wrap(a, S8)),
    ("cvt.u32.u16 D, A", U32, U32, lambda a: a % 2**16),
    ("cvt.rn.f32.s64 D, A", F32, S64, lambda a: np.float32(a)),
    ("cvt.rn.f64.u64 D, A", F64, U64, lambda a: np.float64(a)),
    ("cvt.rn.f32.f64 D, A", F32, F64, lambda a: np.float32(a)),
    ("cvt.f64.f32 D, A", F64, F32, lambda a: np.float64(a)),
    ("cvt.rzi.s64.f64 D, A", S64, F64, lambda a: saturated(a, S64, math.trunc)),
    ("cvt.rzi.u32.f32 D, A", U32, F32, lambda a: saturated(a, U32, math.trunc)),
    ("cvt.rni.s32.f32 D, A", S32, F32, lambda a: saturated(a, S32, round)),
    ("cvt.rmi.s32.f32 D, A", S32, F32, lambda a: saturated(a, S32, math.floor)),
    ("cvt.rpi.s32.f32 D, A", S32, F32, lambda a: saturated(a, S32, math.ceil)),
    ("popc.b32 D, A", U32, U32, lambda a: a.bit_count()),
    ("clz.b32 D, A", U32, U32, lambda a: 32 - a.bit_length()),
    ("brev.b32 D, A", U32, U32, lambda a: int(f"{a:032b}"[::-1], 2)),
    ("brev.b64 D, A", U64, U64, lambda a: int(f"{a:064b}"[::-1], 2)),
    ("bfind.u32 D, A", U32, U32, lambda a: a.bit_length() - 1),
    ("bfind.shiftamt.u32 D, A", U32, U32, lambda a: 32 - a.bit_length() if a else -1),
    ("bfe.u32 D, A, B, C", U32, U32, lambda a, b, c: field(a, b, c, 32)),
    ("bfi.b32 D, A, B, C, 7", U32, U32, lambda a, b, c: inserted(a, b, c, 7, 32)),
    ("prmt.b32 D, A, B, C", U32, U32, permuted),
    ("lop3.b32 D, A, B, C, 0x96", U32, U32, lambda a, b, c: a ^ b ^ c),
    ("lop3.b32 D, A, B, C, 0xCA", U32, U32, lambda a, b, c: (a & b) | (~a & c)),
    ("shf.l.wrap.b32 D, A, B, C", U32, U32, lambda a, b, c: (b << 32 | a) << c % 32 >> 32),
    ("shf.r.wrap.b32 D, A, B, C", U32, U32, lambda a, b, c: (b << 32 | a) >> c % 32),
    ("shf.r.clamp.b32 D, A, B, C", U32, U32, lambda a, b, c: (b << 32 | a) >> min(c, 32)),
    ("shf.l.clamp.b32 D, A, B, C", U32, U32, lambda a, b, c: (b << 32 | a) << min(c, 32) >> 32),
    ("mov.b64 D, {A, B}", U64, U32, lambda a, b: b << 32 | a),
    ("mov.b64 {D, _}, A", U32, U64, lambda a: a),
    ("mov.b64 {_, D}, A", U32, U64, lambda a: a >> 32),
]  # fmt: skip


def cases():
    """(instruction, type of the answer, type of the operands, meaning)."""
    for kind in (U32, S32, U64, S64):
        names = {"t": letter(kind), "n": kind.itemsize * 8}
        for text, meaning in (WHOLE | (SIGNED if kind.kind == "i" else {})).items():
            yield text.format(**names), kind, kind, bound(meaning, names["n"])
    for kind in (F32, F64):
        for text, meaning in FLOATS.items():
            yield text.format(t=letter(kind)), kind, kind, meaning
    yield from OTHERS


def bound(meaning, bits):
    return lambda *arguments: meaning(*arguments, bits)


CASES = list(cases())


def check(stub, text, answer, kind, meaning):
    """Run an instruction over many operands and compare all answers, NaNs by being one."""
    shifted = " E" in text
    names = [name for name in "ABC" if f" {name}" in text or f"{{{name}" in text]
    count = len(names) + shifted
    given = operands(kind, count, np.random.default_rng(0))
    if shifted:  # by a number of 32 bits
        given[:, -1] = np.abs(given[:, -1] % 70)
    size, big = kind.itemsize, REGISTER[kind.itemsize]
    body = text
    for i, name in enumerate([*names, *"E" * shifted]):
        body = body.replace(f" {name}", f" %o{i}").replace(f"{{{name}", f"{{%o{i}")
    body = body.replace(" D", " %d").replace("{D", "{%d")
    loads = "\n".join(f"ld.global.{letter(kind)} %o{i}, [%w+{i * size}];" for i in range(count))
    if shifted:
        loads += f"\ncvt.u32.u{8 * size} %e, %o{count - 1};"
        body = body.replace(f" %o{count - 1}", " %e")
    out = answer.itemsize
    ptx = module(
        f"""mad.lo.u64 %w, %id, {count * size}, %p1; {loads} {body};
        mad.lo.u64 %z, %id, {out}, %p0; st.global.{letter(answer)} [%z], %d;""",
        f""".reg .{big} %o<{count}>; .reg .{REGISTER[out]} %d; .reg .b64 %w, %z; .reg .b32 %e;
        .reg .pred %q;""",
    )
    target = np.zeros(len(given), answer)
    there, source = stub.put(target), stub.put(given)
    stub.launch(stub.kernel(ptx), 1, len(given), there, source)
    stub.get(there, target)
    with np.errstate(all="ignore"):
        if kind.kind == "f" and answer == kind:
            wanted = np.array([meaning(*row) for row in given], answer)
        else:
            rows = (map(float if kind.kind == "f" else int, row) for row in given)
            found = [meaning(*row) for row in rows]
            whole = answer.kind != "f"
            wanted = np.array([wrap(x, answer) if whole else x for x in found], answer)
    np.testing.assert_array_equal(target, wanted, f"{text}")
    if kind.kind == "f" and answer.kind == "f":
        known = ~np.isnan(wanted)
        assert (np.signbit(target) == np.signbit(wanted))[known].all()


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_what_an_instruction_computes(stub, case):
    check(stub(), *case)


def test_fma_rounds_once(stub):
    ptx = module(
        "ld.global.f32 %a, [%p1]; ld.global.f32 %b, [%p1+4]; fma.rn.f32 %a, %a, %a, %b;"
        "st.global.f32 [%p0], %a;",
        ".reg .f32 %a, %b;",
    )
    near = np.float32(1 + 2**-12)
    given = np.array([near, -np.float32(np.float64(near) ** 2)], np.float32)
    stub, target = stub(), np.zeros(1, np.float32)
    there = stub.put(target)
    stub.launch(stub.kernel(ptx), 1, 1, there, stub.put(given))
    assert stub.get(there, target)[0] == np.float64(near) ** 2 + np.float64(given[1]) != 0


def test_memory_of_any_width(stub):
    """Loads extend by their type, vectors are lanes, stores cut off."""
    ptx = module(
        """ld.global.s8 %h, [%p1]; cvt.s32.s16 %a, %h; st.global.u32 [%p0], %a;
        ld.global.u8 %h, [%p1]; cvt.u32.u16 %a, %h; st.global.u32 [%p0+4], %a;
        ld.global.v2.u32 {%a, %b}, [%p1+8]; st.global.v2.u32 [%p0+8], {%b, %a};
        ld.global.u32 %a, [%p1+8]; st.global.u8 [%p0+16], %a; st.local.u32 [%l], %a;
        ld.local.u16 %h, [%l+2]; st.global.u16 [%p0+20], %h;
        mov.u64 %l, table; ld.const.u32 %a, [table+4]; st.global.u32 [%p0+24], %a;""",
        """.local .align 8 .b8 depot[16]; .reg .b64 %l; .reg .b16 %h; .reg .b32 %a, %b;
        mov.u64 %l, depot;""",
        declared=".const .align 4 .u32 table[2] = {5, 77};",
    )
    given = np.array([200, 0, 0x11223344, 0x55667788], np.uint32)
    stub, target = stub(), np.zeros(7, np.uint32)
    there = stub.put(target)
    stub.launch(stub.kernel(ptx), 1, 1, there, stub.put(given))
    stub.get(there, target)
    assert target.tolist() == [2**32 - 56, 200, 0x55667788, 0x11223344, 0x44, 0x1122, 77]


@pytest.mark.parametrize(
    "body",
    [
        "tex.1d.v4.s32.s32 {%a, %a, %a, %a}, [t, {%a}]",
        "add.ftz.f32 %a, %a, %a",
        "add.sat.s32 %a, %a, %a",
        "call.uni f, ()",
        "mov.u32 %a, %clock",
        "bar.sync 1, 32",
        "add.s32 %a, %a, %undeclared",
    ],
)
def test_unsupported_instructions_are_named(stub, body, capfd):
    with pytest.raises(Refused):
        stub().kernel(module(f"{body};", ".reg .b32 %a;"))
    assert f"emulated GPU: k: unsupported instruction: {body}" in capfd.readouterr().err


def test_machine_code_is_refused(stub, capfd):
    with pytest.raises(Refused):
        stub().kernel("\x7fELF\x02\x01")
    assert "uninstall nvidia-nvjitlink" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("file", "right", "wrong", "caught"),
    [
        ("translator/computing.py", '"sub": "-"', '"sub": "+"', "sub.s32 D, A, B"),
        (
            "translator/computing.py",
            '"lt": "<"',
            '"lt": "<="',
            "setp.lt.f32 %q, A, B; selp.f32 D, A, C, %q",
        ),
        (
            "translator/computing.py",
            "(isunordered({a}, {b}) | {answer})",
            "{answer}",
            "setp.leu.f64",
        ),
        ("kernel.h", "by >= BITS ? 0 : (uint##BITS##_t)(a >> by)", "a >> by", "shr.u32 D, A, E"),
        ("kernel.h", "x != x ? 0 : ", "", "cvt.rni.s32.f32 D, A"),
        ("translator/operands.py", "({C_TYPE[kind]})({self", "({self", "setp.le.s32"),
    ],
)
def test_a_broken_translation_is_caught(stub, file, right, wrong, caught, tmp_path, monkeypatch):
    """The checks above fail with a translator that has one slip."""
    source = tmp_path / "source"
    shutil.copytree(HERE, source)
    text = (source / file).read_text()
    assert right in text
    (source / file).write_text(text.replace(right, wrong))
    driver = stub()
    monkeypatch.setenv("EMULATOR_SOURCE", str(source))
    monkeypatch.setenv("EMULATOR_KERNELS", str(tmp_path))
    (case,) = [case for case in CASES if case[0].startswith(caught)][:1]
    with pytest.raises(AssertionError, match="Arrays are not equal"):
        check(driver, *case)
