"""Threads of a grid: all run, in many orders, meet where they must, and harm nothing unnoticed."""

import numpy as np
import pytest

from emulator.bare import Refused, module

ADDRESS = "mad.lo.u64 %a, %id, 4, %p0;"
REGISTERS = ".reg .b64 %a, %b; .reg .b32 %x, %y, %z; .reg .pred %q;"


def run(driver, ptx, blocks, threads, size, first=0, cooperative=False):
    """A launch over one array of uint32: what it leaves."""
    host = np.full(size, first, np.uint32)
    there = driver.put(host)
    driver.launch(driver.kernel(ptx), blocks, threads, there, cooperative=cooperative)
    return driver.get(there, host)


ORDER = module(
    f"{ADDRESS} atom.global.add.u32 %x, [%p0], 1; st.global.u32 [%a+4], %x;",
    REGISTERS,
    parameters=1,
)
LOST = module(
    "ld.global.u32 %x, [%p0]; add.s32 %x, %x, 1; st.global.u32 [%p0], %x;", REGISTERS, parameters=1
)
SUM = module(  # of the block, through shared memory: the threads must all have written
    f"""{ADDRESS} mul.wide.u32 %b, %t0, 4; cvt.u32.u64 %y, %b; mov.u32 %z, cells;
    add.s32 %y, %y, %z; st.shared.u32 [%y], %t3; bar.sync 0;
    mov.u32 %x, 0; mov.u32 %y, 0;
    again: ld.shared.u32 %z, [cells]; add.s32 %x, %x, %z;
    add.s32 %y, %y, 1; setp.lt.u32 %q, %y, %t1; @%q bra again;
    st.global.u32 [%a], %x;""",
    REGISTERS,
    parameters=1,
    declared=".shared .align 4 .b8 cells[1024];",
)


@pytest.mark.parametrize("threads", ["ordered", "interleaved"])
def test_every_thread_runs_once_and_orders_differ(stub, threads):
    orders = set()
    for seed in range(5):
        driver = stub(threads=threads, seed=seed)
        found = run(driver, ORDER, 5, 37, 5 * 37 + 1)
        assert found[0] == 5 * 37
        assert sorted(found[1:]) == list(range(5 * 37))
        orders.add(found.tobytes())
    assert len(orders) == 5
    again = run(stub(threads=threads, seed=4), ORDER, 5, 37, 5 * 37 + 1)
    assert again.tobytes() in orders  # a seed repeats its order


def test_a_sum_without_atomics_loses_some_of_it(stub):
    """Interleaved threads show what is a race; one after the other cannot."""
    assert run(stub(threads="ordered"), LOST, 4, 64, 1)[0] == 256
    assert run(stub(threads="interleaved"), LOST, 4, 64, 1)[0] < 256


def test_threads_meet_at_barriers(stub):
    for seed in range(3):
        found = run(stub(seed=seed), SUM, 3, 100, 300)
        firsts = np.repeat([0, 100, 200], 100)
        assert (found == firsts * 100).all()
        early = SUM.replace("bar.sync 0;", "")  # most threads read before thread 0 has written
        found = run(stub(seed=seed, threads="interleaved"), early, 3, 100, 300)
        assert (found != firsts * 100).any()


def test_votes_of_a_block(stub):
    ptx = module(
        f"""{ADDRESS} setp.lt.u32 %q, %t0, 30; bar.red.popc.u32 %x, 0, %q;
        bar.red.and.pred %q, 0, %q; selp.b32 %y, 100, 0, %q; add.s32 %x, %x, %y;
        st.global.u32 [%a], %x;""",
        REGISTERS,
        parameters=1,
    )
    assert (run(stub(), ptx, 2, 64, 128) == 30).all()
    assert (run(stub(), ptx, 2, 20, 40) == 120).all()


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("shfl.sync.idx.b32 %x, %t3, 5, 31, -1", lambda lane: lane * 0 + 5),
        ("shfl.sync.up.b32 %x, %t3, 3, 0, -1", lambda lane: np.where(lane < 3, lane, lane - 3)),
        ("shfl.sync.down.b32 %x, %t3, 3, 31, -1", lambda lane: np.where(lane > 28, lane, lane + 3)),
        ("shfl.sync.bfly.b32 %x, %t3, 6, 31, -1", lambda lane: lane ^ 6),
        ("shfl.sync.idx.b32 %x, %t3, 1, 0x1c1f, -1", lambda lane: lane // 4 * 4 + 1),
        ("setp.gt.u32 %q, %t3, 7; vote.sync.ballot.b32 %x, %q, -1", lambda lane: 0xFFFFFF00),
        (
            "and.b32 %y, %t3, 3; match.any.sync.b32 %x, %y, -1",
            lambda lane: 0x11111111 << (lane & 3),
        ),
    ],
)
def test_warps_exchange_values(stub, text, meaning):
    ptx = module(f"{ADDRESS} {text}; st.global.u32 [%a], %x;", REGISTERS, parameters=1)
    assert (run(stub(), ptx, 1, 32, 32) == meaning(np.arange(32))).all()


def test_blocks_that_wait_for_each_other_are_all_alive_where_it_is_promised(stub):
    ptx = module(
        """setp.ne.u32 %q, %t0, 0; @%q bra wait; atom.global.add.u32 %x, [%p0], 1;
        wait: ld.volatile.global.u32 %x, [%p0]; mov.u32 %y, %nctaid.x;
        setp.lt.u32 %q, %x, %y; @%q bra wait;""",
        REGISTERS,
        parameters=1,
    )
    assert run(stub(), ptx, 16, 64, 1, cooperative=True)[0] == 16
    with pytest.raises(Refused):  # more than can be alive at once
        run(stub(), ptx, 10_000, 64, 1, cooperative=True)


def test_writing_beside_an_allocation_is_reported(stub, capfd):
    """In a process of its own: the driver fails from then on."""
    import os

    child = os.fork()
    if not child:
        try:
            run(stub(), ORDER, 1, 8, 8)
        except Refused:
            os._exit(5)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
    assert "k wrote behind an allocation of 32 bytes" in capfd.readouterr().err
