"""Parameters on a GPU: the steps of the same parameters on the CPU, on any stream."""

import numpy as np
import pytest
import torch
from test_against_numpy import PAIRS
from toys import OPTIMIZERS, Tagger, dense, rows_and_values, sketches, sparse, table

import sketchlab as sl
import sketchlab.torch as slt
from analysis.timing import gpu_events

WHY_NOT = "this PyTorch has no GPU"
if torch.cuda.is_available():
    WHY_NOT = gpu_events.why_no_gpu()

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or ""),
    pytest.mark.filterwarnings("ignore::sketchlab.StoreSizeWarning"),
]

SHAPES = [(1200, 4), (700, 2, 3), (5000,)]
# Of the largest parameter, about 3. Atomics add in any order, so the last bits differ.
LIMIT = {torch.float64: 1e-10, torch.float32: 1e-5}


def both(cls, options, dtype):
    """Parameters and their optimizer on the CPU and on the GPU."""
    made = []
    for device in ("cpu", "cuda"):
        drawn = (table(shape, dtype, seed).detach() for seed, shape in enumerate(SHAPES))
        parameters = [torch.nn.Parameter(value.to(device)) for value in drawn]
        made.append((parameters, cls(parameters, **options, min_numel=0)))
    return made


def give(parameters, step):
    """Gradients of one step: dense for parameters of one dimension and at every third step."""
    for place, parameter in enumerate(parameters):
        like = parameter.detach().cpu()
        if parameter.ndim == 1 or step % 3 == 2:
            drawn = dense(step, like, seed=place)
        else:
            drawn = sparse(*rows_and_values(step, like.shape, seed=place), like)
        parameter.grad = drawn.to(parameter.device)


def assert_near(there, here, dtype):
    for on_gpu, on_cpu in zip(there, here):
        far = (on_gpu.detach().cpu() - on_cpu.detach()).abs().max() / on_cpu.detach().abs().max()
        assert far <= LIMIT[dtype]


def assert_same_steps(cls, options, dtype):
    (here, on_cpu), (there, on_gpu) = both(cls, options, dtype)
    for step in range(9):
        for parameters, opt in ((here, on_cpu), (there, on_gpu)):
            give(parameters, step)
            opt.step()
    assert_near(there, here, dtype)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer(name):
    cls, options = OPTIMIZERS[name]
    assert_same_steps(cls, options | sketches(cls), torch.float64)


@pytest.mark.parametrize("pair", PAIRS)
def test_every_store(pair):
    # the head that is found while running is counted on the host
    m, v = (
        sl.HeadTail(tail=store.tail) if isinstance(store, sl.HeadTail) else store
        for store in PAIRS[pair]
    )
    # a code of 8 bits or a cell of two bytes may be rounded the other way in single precision
    dtype = torch.float32 if pair == "two bytes" else torch.float64
    options = {"lr": 0.01, "weight_decay": 0.1, "eps": 0.1, "m": m, "v": v}
    assert_same_steps(slt.Adam, options, dtype)


def test_a_checkpoint_goes_on_on_the_other_device():
    options = {"lr": 0.01, "eps": 0.1, **sketches(slt.Adam)}
    (here, on_cpu), (there, on_gpu) = both(slt.Adam, options, torch.float64)
    for step in range(4):
        give(there, step)
        on_gpu.step()
    with torch.no_grad():
        for mine, other in zip(here, there):
            mine.copy_(other)
    on_cpu.load_state_dict(on_gpu.state_dict())
    for step in range(4, 8):
        for parameters, opt in ((here, on_cpu), (there, on_gpu)):
            give(parameters, step)
            opt.step()
    assert_near(there, here, torch.float64)


def test_gradients_of_a_side_stream_that_are_freed_at_once():
    """A slow producer on another stream; memory that is free after the step is used again."""
    stream, rows, dim = torch.cuda.Stream(), 200_000, 64
    options = {"lr": 0.1, "v": sl.CountMinSketch(seed=1), "eps": 0.1}
    start = torch.zeros(rows, dim, dtype=torch.float64)
    here, there = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.cuda())
    on_cpu, on_gpu = slt.RMSprop([here], **options), slt.RMSprop([there], **options)
    torch.cuda.synchronize()
    for step in range(3):
        drawn, values = rows_and_values(step, (rows, dim), 5000)
        here.grad = sparse(drawn, values, here)
        on_cpu.step()
        with torch.cuda.stream(stream):
            busy = torch.randn(4096, 4096, device="cuda")
            for _ in range(20):
                busy = busy @ busy / 64
            there.grad = sparse(drawn, values, start).to("cuda", non_blocking=True)
            on_gpu.step()
            there.grad = None
            torch.full((5000, dim), np.nan, dtype=torch.float64, device="cuda")
    torch.cuda.synchronize()
    assert_near([there], [here], torch.float64)


def test_a_model_learns():
    torch.manual_seed(0)
    model = Tagger(dim=16).cuda()
    opt = slt.Adam(model.parameters(), lr=0.05, **sketches(slt.Adam))
    words = torch.randint(0, 1200, (4096,), device="cuda")
    losses = []
    for _ in range(100):
        opt.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(words), words % 3)
        loss.backward()
        opt.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
