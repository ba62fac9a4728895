"""A step waits, on the device, for whoever makes its input; on blocking and other streams.

A slow kernel writes an input on a side stream just before the step, over numbers that are not: a
step that does not wait reads them. On the emulated GPU that kernel is delayed as long as nothing
waits for it (``streams="latest"``).
"""

import ctypes
from contextlib import nullcontext
from functools import cache

import numpy as np
import pytest
from emulator import control
from places import EMULATED, MARKS, on_device

import sketchlab as sl
from sketchlab.kernels.cuda import CUDA, driver

cuda = driver.cuda
pytestmark = [
    *MARKS,
    pytest.mark.filterwarnings("ignore::numba.core.errors.NumbaPerformanceWarning"),
]

N, DIM, K = 40, 3, 8
ROWS = np.array([3, 1, 39, 3, 0, 20, 7, 5])
TURNS = 10 if EMULATED else 20_000_000
_NON_BLOCKING = 1


@pytest.fixture(autouse=True)
def worst_order():
    """What nothing orders comes in the worst order, where that can be asked for."""
    worst = control.changed(streams="latest") if EMULATED else nullcontext()
    with worst, cuda.defer_cleanup():  # freeing memory would wait for everything
        yield
        cuda.synchronize()


def side_stream(blocking):
    """A stream of numba-cuda; one that ignores the default stream is made by the driver."""
    if blocking:
        return cuda.stream()
    from cuda.bindings import driver as api

    error, handle = api.cuStreamCreate(_NON_BLOCKING)
    assert error == 0
    return cuda.external_stream(int(handle))


def slow_copy(target, source, turns):
    i = cuda.grid(1)
    if i < target.size:
        x = np.uint64(i)
        for _ in range(turns):
            x = x * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
        target[i] = source[i] if x != np.uint64(1) else target[i]


@cache
def compiled():
    return cuda.jit(slow_copy)


class Product:
    """A device array that a slow kernel will fill; all that waits is done when it is made."""

    def __init__(self, host):
        poison = np.full(host.shape, np.nan if host.dtype.kind == "f" else 2, host.dtype)
        self.source, self.target = on_device(host), on_device(poison)

    def on(self, stream):
        """The array, being filled on a stream, which it names."""
        kernel = compiled()[1, 256, stream]
        size = self.source.size
        kernel(self.target.reshape(size), self.source.reshape(size), TURNS)
        self.target.stream = stream
        return self.target


def grads(seed):
    return np.random.default_rng(seed).uniform(0.5, 1, (K, DIM)).astype(np.float32)


def adam(table, backend):
    stores = {"m": sl.CountSketch(width=9, seed=1), "v": sl.CountMinSketch(width=9, seed=2)}
    return sl.Adam(table, 0.05, eps=0.1, backend=backend, **stores)


def pair(engine="cuda"):
    """The optimizer on the device and its twin on the host, after a first step of both."""
    tables = on_device(np.zeros((N, DIM), np.float32)), np.zeros((N, DIM), np.float32)
    there, here = adam(tables[0], engine), adam(tables[1], "reference")
    there.step(on_device(grads(0)), rows=on_device(ROWS))  # compiles; what follows is quick
    here.step(grads(0), rows=ROWS)
    cuda.synchronize()
    return there, here


def assert_equal(there, here):
    cuda.synchronize()
    np.testing.assert_allclose(there.table.copy_to_host(), here.table, rtol=1e-5, atol=1e-6)


kinds = pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "non-blocking"])
default_stream_orders_blocking_ones = pytest.mark.parametrize(
    "blocking", [True, False], ids=["blocking", "non-blocking"]
)


@kinds
def test_the_producer_is_slow(blocking):
    """Who does not wait sees what was there before: so the tests below can fail."""
    stream, other = side_stream(blocking), side_stream(False)
    Product(np.ones(5, np.float32)).on(stream)  # compiles
    seen, product = on_device(np.zeros(5, np.float32)), Product(np.ones(5, np.float32))
    target = product.on(stream)
    seen.copy_to_device(target, stream=other)
    other.synchronize()
    early = seen.copy_to_host(stream=other)
    cuda.synchronize()
    assert np.isnan(early).all()
    target.stream = 0  # else the copy is on the other stream, and not waited for
    assert (target.copy_to_host() == 1).all()


@kinds
def test_a_step_waits_for_its_gradients(blocking):
    (there, here), rows, given = pair(), on_device(ROWS), Product(grads(1))
    there.step(given.on(side_stream(blocking)), rows=rows)
    here.step(grads(1), rows=ROWS)
    assert_equal(there, here)


@default_stream_orders_blocking_ones
def test_a_step_waits_for_its_rows(blocking):
    (there, here), rows, given = pair(), Product(ROWS), on_device(grads(1))
    there.step(given, rows=rows.on(side_stream(blocking)))
    here.step(grads(1), rows=ROWS)
    assert_equal(there, here)


@kinds
def test_a_step_on_a_given_stream_waits_for_its_inputs(blocking):
    there, here = pair(CUDA(stream=side_stream(False)))
    given, rows = Product(grads(1)), Product(ROWS)
    there.step(given.on(side_stream(blocking)), rows=rows.on(side_stream(blocking)))
    here.step(grads(1), rows=ROWS)
    assert_equal(there, here)


@kinds
def test_steps_on_several_streams_come_one_after_the_other(blocking):
    (there, here), rows = pair(), on_device(ROWS)
    for seed, given in [(seed, Product(grads(seed))) for seed in range(1, 5)]:
        there.step(given.on(side_stream(blocking)), rows=rows)
        here.step(grads(seed), rows=ROWS)
    assert_equal(there, here)


@kinds
def test_what_is_asked_after_a_step_has_its_changes(blocking):
    (there, here), rows, given = pair(), on_device(ROWS), Product(grads(1))
    there.step(given.on(side_stream(blocking)), rows=rows)
    here.step(grads(1), rows=ROWS)
    np.testing.assert_allclose(there.m.query(ROWS), here.m.query(ROWS), rtol=1e-5, atol=1e-6)
    state, expected = there.state_dict(), here.state_dict()
    for name in ("m/table", "v/table"):
        if name in expected:
            np.testing.assert_allclose(state[name], expected[name], rtol=1e-5, atol=1e-6)


def test_a_stream_may_be_gone_after_its_step():
    from cuda.bindings import driver as api

    (there, here), rows = pair(), on_device(ROWS)
    for seed in (1, 2):
        given = Product(grads(seed))
        error, handle = api.cuStreamCreate(_NON_BLOCKING)
        assert error == 0
        stream = cuda.external_stream(int(handle))
        there.step(given.on(stream), rows=rows)
        here.step(grads(seed), rows=ROWS)
        cuda.synchronize()
        assert api.cuStreamDestroy(handle)[0] == 0
    assert_equal(there, here)


# -- DLPack ------------------------------------------------------------------------------------


class _Tensor(ctypes.Structure):
    """``DLManagedTensor`` of DLPack's dlpack.h."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("offset", ctypes.c_uint64),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
    ]


class SpeaksDLPack:
    """An array of a library that has no CUDA array interface, such as JAX."""

    CUDA, _CODES = 2, {"i": 0, "u": 1, "f": 2}

    def __init__(self, array, stream):
        self.array, self.stream, self.asked = array, stream, []

    def __dlpack_device__(self):
        return self.CUDA, 0

    def __dlpack__(self, stream=None, **settings):
        """As the protocol asks: the consumer's stream waits, unless it says -1."""
        self.asked.append(stream)
        if stream != -1:
            done = cuda.event()
            done.record(self.stream)
            waiting = {
                None: 0,
                1: cuda.legacy_default_stream(),
                2: cuda.per_thread_default_stream(),
            }
            done.wait(waiting[stream] if stream in waiting else cuda.external_stream(stream))
        array, dtype = self.array, np.dtype(self.array.dtype)
        self._shape = (ctypes.c_int64 * array.ndim)(*array.shape)
        strides = [stride // dtype.itemsize for stride in array.strides]
        self._strides = (ctypes.c_int64 * array.ndim)(*strides)
        self._tensor = _Tensor(
            array.device_ctypes_pointer.value, self.CUDA, 0, array.ndim,
            self._CODES[dtype.kind], dtype.itemsize * 8, 1, self._shape, self._strides,
        )  # fmt: skip
        make = ctypes.pythonapi.PyCapsule_New
        make.restype = ctypes.py_object
        make.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        return make(ctypes.addressof(self._tensor), b"dltensor", None)


@kinds
def test_arrays_of_other_libraries_are_waited_for(blocking):
    stream = side_stream(blocking)
    there, here = pair()
    products = [Product(host) for host in (grads(1), ROWS)]
    inputs = [SpeaksDLPack(product.on(stream), stream) for product in products]
    there.step(inputs[0], rows=inputs[1])
    here.step(grads(1), rows=ROWS)
    assert all(-1 not in array.asked for array in inputs)
    assert_equal(there, here)
