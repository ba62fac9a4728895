"""Streams of the emulated GPU: what is ordered is done in order, what is not in either one."""

import ctypes

import numpy as np
import pytest

from emulator.bare import Refused, module

REGISTERS = ".reg .b64 %a; .reg .b32 %x;"
ADD = module(
    "ld.global.u32 %x, [%p0]; add.s32 %x, %x, 5; st.global.u32 [%p0], %x;", REGISTERS, parameters=1
)
DOUBLE = ADD.replace("add.s32 %x, %x, 5", "shl.b32 %x, %x, 1")
ADDED_FIRST, DOUBLED_FIRST = (1 + 5) * 2, 1 * 2 + 5


def run(driver, first, second, between=None):
    """Add 5 on one stream, double on another; `between` may order them."""
    there = driver.put(np.ones(1, np.uint32))
    driver.call("cuCtxSynchronize")
    add, double = driver.kernel(ADD), driver.kernel(DOUBLE)
    driver.launch(add, 1, 1, there, stream=first)
    if between:
        between()
    driver.launch(double, 1, 1, there, stream=second)
    driver.call("cuCtxSynchronize")
    return int(driver.get(there, np.zeros(1, np.uint32))[0])


def results(stub, blocking, ordered=False, use_default=False):
    """What comes out for many seeds."""
    found = set()
    for seed in range(12):
        driver = stub(seed=seed, threads="ordered")
        first = None if use_default else driver.stream(blocking)
        second = driver.stream(blocking)

        def wait(driver=driver, first=first, second=second):
            driver.call("cuStreamWaitEvent", second, driver.event(first), 0)

        found.add(run(driver, first, second, wait if ordered else None))
    return found


@pytest.mark.parametrize("blocking", [True, False])
def test_streams_that_nothing_orders(stub, blocking):
    assert results(stub, blocking) == {ADDED_FIRST, DOUBLED_FIRST}
    assert results(stub, blocking, ordered=True) == {ADDED_FIRST}


def test_the_default_stream_orders_blocking_streams_only(stub):
    assert results(stub, True, use_default=True) == {ADDED_FIRST}
    assert results(stub, False, use_default=True) == {ADDED_FIRST, DOUBLED_FIRST}


def test_the_worst_order(stub):
    for seed in range(5):
        driver = stub(streams="latest", seed=seed)
        assert run(driver, driver.stream(), driver.stream()) == DOUBLED_FIRST


def test_nothing_has_happened_before_somebody_waits(stub):
    driver = stub()
    stream, host = driver.stream(), np.zeros(1, np.uint32)
    there = driver.put(np.ones(1, np.uint32))
    driver.launch(driver.kernel(ADD), 1, 1, there, stream=stream)
    driver.get(there, host, stream)
    assert host[0] == 0
    with pytest.raises(Refused):  # not ready: at most one of the three has run
        driver.call("cuStreamQuery", stream)
    driver.call("cuStreamSynchronize", stream)
    assert host[0] == 6


def test_pageable_memory_is_read_at_once(stub):
    driver = stub()
    stream, host = driver.stream(), np.ones(1, np.uint32)
    there = driver.put(np.zeros(1, np.uint32))
    source = host.ctypes.data_as(ctypes.c_void_p)
    driver.call("cuMemcpyHtoDAsync", there, source, ctypes.c_size_t(4), stream)
    host[0] = 7
    driver.call("cuStreamSynchronize", stream)
    assert driver.get(there, host)[0] == 1


def test_a_destroyed_stream_finishes_its_work_and_takes_no_more(stub):
    driver = stub()
    stream, there = driver.stream(), driver.put(np.ones(1, np.uint32))
    driver.launch(driver.kernel(ADD), 1, 1, there, stream=stream)
    driver.call("cuStreamDestroy", stream)
    with pytest.raises(Refused):
        driver.launch(driver.kernel(ADD), 1, 1, there, stream=stream)
    driver.call("cuCtxSynchronize")
    assert driver.get(there, np.zeros(1, np.uint32))[0] == 6


def test_new_memory_is_nan_and_runs_out(stub):
    driver = stub(memory=10_000)
    assert np.isnan(driver.get(driver.memory(4), np.zeros(1, np.float32))[0])
    with pytest.raises(Refused):
        driver.memory(10_000)


def test_launches_are_counted_and_do_nothing(stub):
    driver = stub(run="nothing")
    before = driver.count("launches")
    host, there = np.ones(1, np.uint32), driver.memory(4)
    kernel = driver.kernel(ADD.replace("add.s32", "unknown"))  # not even translated
    for _ in range(3):
        driver.launch(kernel, 1, 1, there)
    assert driver.get(there, host)[0] == 1
    assert driver.count("launches") == before + 3
