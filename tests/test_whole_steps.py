"""A step is whole or not at all: interrupts, failures halfway, what a torn optimizer refuses."""

import contextlib
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

import sketchlab as sl

pytestmark = pytest.mark.filterwarnings("ignore::sketchlab.errors.StoreSizeWarning")

BACKENDS = ["reference", "cpu"]


@pytest.fixture(autouse=True)
def pythons_handler():
    """Python's own handler of Ctrl-C, also where the tests run as a background job."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def adam(n=40, dim=3, backend="cpu", decay="lazy", **stores):
    """An Adam whose both moments are sketched."""
    stores = stores or {
        "m": sl.CountSketch(width=8, decay=decay),
        "v": sl.CountMinSketch(width=8, decay=decay),
    }
    return sl.Adam(np.ones((n, dim), np.float32), 0.1, backend=backend, **stores)


def snapshot(opt):
    """Everything that a step changes."""
    stores = {
        f"{name}.{key}": np.copy(value)
        for name, store in opt._stores.items()
        for key, value in store.state().items()
    }
    return {"table": opt.table.copy(), "step_count": np.array(opt.step_count), **stores}


def same(left, right):
    return all(np.array_equal(left[key], right[key]) for key in left)


# --- interrupts at any time ---


@contextlib.contextmanager
def alarm(handler, seconds):
    """Have `handler` called in the main thread after some time."""
    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class TimeUp(Exception):
    """What an alarm raises."""


def press_ctrl_c(*_):
    signal.raise_signal(signal.SIGINT)


def time_up(*_):
    raise TimeUp


def interrupted_steps(handler, error, decay, backend, tries=25):
    """(before, after, what was found, optimizer) of steps that an alarm comes into."""
    rng = np.random.default_rng(0)
    n, dim = 20_000, 8
    opt = adam(n, dim, backend, decay)
    rows = rng.permutation(n)
    grads = rng.standard_normal((n, dim)).astype(np.float32)
    whole = adam(n, dim, backend, decay)
    for each in (opt, whole):
        each.step(grads, rows=rows)
    before = snapshot(whole)
    state = whole.state_dict()
    seconds = duration(whole, grads, rows)
    whole.load_state_dict(state)
    whole.table[:] = before["table"]
    whole.step(grads, rows=rows)
    after = snapshot(whole)
    for number in range(tries):
        opt.load_state_dict(state)
        opt.table[:] = before["table"]
        came = False
        try:
            with alarm(handler, seconds * (0.05 + 0.95 * number / tries)):
                opt.step(grads, rows=rows)
        except error:
            came = True
        yield before, after, opt, came


def duration(opt, grads, rows):
    start = time.perf_counter()
    opt.step(grads, rows=rows)
    return time.perf_counter() - start


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("decay", ["lazy", "global", "bucket"])
def test_ctrl_c_comes_before_a_step_or_after_it(decay, backend):
    interrupts = 0
    for before, after, opt, came in interrupted_steps(
        press_ctrl_c, KeyboardInterrupt, decay, backend
    ):
        interrupts += came
        found = snapshot(opt)
        assert same(found, before) or same(found, after)
        opt.state_dict()  # is not refused
    assert interrupts > 10  # the alarms did come into steps


def test_an_alarm_leaves_a_whole_step_or_an_optimizer_that_refuses():
    """In a process of its own: an alarm inside Numba can leave a lock of Numba's locked."""
    with ProcessPoolExecutor(1, get_context("spawn")) as child:
        for backend in BACKENDS:
            for decay in ("lazy", "global"):
                assert child.submit(torn_by_alarms, decay, backend).result()


def torn_by_alarms(decay, backend):
    """How many steps were torn; every other one was whole or not taken at all."""
    torn = 0
    for before, after, opt, _ in interrupted_steps(time_up, TimeUp, decay, backend):
        try:
            opt.state_dict()
        except sl.TornStepError:
            torn += 1
        else:
            found = snapshot(opt)
            assert same(found, before) or same(found, after)
    return torn


def test_ctrl_c_is_raised_once_and_the_handler_is_as_before():
    opt = adam()
    before = signal.getsignal(signal.SIGINT)
    opt._backend.step = lambda *arguments: (arguments[-1](), press_ctrl_c())
    with pytest.raises(KeyboardInterrupt):
        opt.step(np.ones((40, 3)))
    assert signal.getsignal(signal.SIGINT) is before
    assert opt.step_count == 1


def test_a_handler_of_the_user_is_called_after_the_step():
    opt, seen = adam(), []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append(opt.step_count))
    try:
        right = opt._backend.step

        def step(*arguments):
            right(*arguments)
            press_ctrl_c()

        opt._backend.step = step
        opt.step(np.ones((40, 3)))
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [1]


def test_steps_in_other_threads_are_taken():
    opt = adam()
    thread = threading.Thread(target=opt.step, args=(np.ones((40, 3)),))
    thread.start()
    thread.join()
    assert opt.step_count == 1


# --- failures halfway ---


def fail_in(opt, where, error):
    """Let one part of the next step fail."""

    def failing(*_, **__):
        raise error

    owner, name = {
        "second moment": (opt.v, "make_room"),
        "end of the step": (opt.v, "end_step"),
    }[where]
    setattr(owner, name, failing)
    return owner, name


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("where", ["second moment", "end of the step"])
@pytest.mark.parametrize("error", [MemoryError, ValueError])
def test_a_step_that_fails_halfway_is_known(where, error, backend, tmp_path):
    opt = adam(backend=backend)
    opt.step(np.ones((40, 3)))
    state, table = opt.state_dict(), opt.table.copy()
    opt.save(tmp_path / "before.npz")
    saved = (tmp_path / "before.npz").read_bytes()
    owner, name = fail_in(opt, where, error)
    with pytest.raises(error):
        opt.step(np.ones((40, 3)))
    delattr(owner, name)

    for refused in (
        lambda: opt.step(np.ones((40, 3))),
        opt.state_dict,
        lambda: opt.save(tmp_path / "before.npz"),
    ):
        with pytest.raises(sl.TornStepError, match=r"step 2 .* load a state"):
            refused()
    assert (tmp_path / "before.npz").read_bytes() == saved
    assert "torn" in repr(opt)

    opt.load_state_dict(state)
    opt.table[:] = table
    opt.step(np.ones((40, 3)))
    right = adam(backend=backend)
    for _ in range(2):
        right.step(np.ones((40, 3)))
    assert same(snapshot(opt), snapshot(right))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_failure_before_the_first_change_leaves_the_optimizer_as_it_was(backend, monkeypatch):
    """Memory that is not there when rows are made distinct."""
    opt = adam(backend=backend)
    opt.step(np.ones((40, 3)))
    before = snapshot(opt)

    def failing(*_):
        raise MemoryError

    where = (
        "sketchlab.kernels.reference" if backend == "reference" else "sketchlab.kernels.cpu.backend"
    )
    name = "coalesce" if backend == "reference" else "sort_rows"
    monkeypatch.setattr(f"{where}.{name}", failing)
    with pytest.raises(MemoryError):
        opt.step(np.ones((3, 3)), rows=[4, 1, 4])
    monkeypatch.undo()
    assert same(snapshot(opt), before)
    opt.step(np.ones((3, 3)), rows=[4, 1, 4])


def test_a_kernel_that_cannot_be_compiled_leaves_the_optimizer_as_it_was(monkeypatch):
    opt = adam(decay="global")
    before = snapshot(opt)

    def failing(*_):
        raise MemoryError("while a kernel was compiled")

    monkeypatch.setattr("sketchlab.kernels.cpu.backend.move", failing)
    with pytest.raises(MemoryError):
        opt.step(np.ones((40, 3)))
    monkeypatch.undo()
    assert same(snapshot(opt), before)
    opt.step(np.ones((40, 3)))
    assert opt.step_count == 1


def test_a_state_that_is_half_loaded_is_known(monkeypatch):
    opt = adam()
    opt.step(np.ones((40, 3)))
    state = opt.state_dict()

    def failing(_):
        raise MemoryError

    monkeypatch.setattr(opt.v, "restore", failing)
    with pytest.raises(MemoryError):
        opt.load_state_dict(state)
    monkeypatch.undo()
    with pytest.raises(sl.TornStepError):
        opt.step(np.ones((40, 3)))
    opt.load_state_dict(state)
    opt.step(np.ones((40, 3)))
