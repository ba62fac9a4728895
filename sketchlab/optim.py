"""The public optimizers: a rule, one store for each auxiliary variable, a backend."""

from sketchlab.annotations import Clip, Table
from sketchlab.errors import ConfigurationError
from sketchlab.hyper_parameters import checked_weight_decay, hyper_parameter
from sketchlab.kernels.interface import Backend
from sketchlab.optimizer import Optimizer
from sketchlab.rules import (
    SHRUNKEN,
    WEIGHTED,
    AdagradRule,
    AdamRule,
    AMSGradRule,
    MomentumRule,
    RMSpropRule,
    SGDRule,
    check_feasible,
)
from sketchlab.stores import Dense, Store
from sketchlab.stores.description import check_description
from sketchlab.validation import checked_choice, checked_flag, checked_number

__all__ = ["SGD", "AMSGrad", "Adagrad", "Adam", "Momentum", "Optimizer", "RMSprop"]


def _fraction(name):
    """A check that a number is in [0, 1), for messages under that name."""
    return lambda value: checked_number(name, value, 0, below=1)


_checked_momentum, _checked_beta = _fraction("momentum"), _fraction("beta")


def _checked_betas(betas):
    try:
        beta1, beta2 = betas
    except (TypeError, ValueError):
        raise ConfigurationError(f"betas={betas!r}: must be two numbers in [0, 1)") from None
    return _fraction("betas[0]")(beta1), _fraction("betas[1]")(beta2)


def _checked_eps(eps):
    return checked_number("eps", eps, 0)


def _decay(weight_decay):
    return {"weight_decay": checked_weight_decay(weight_decay)}


_EPS = hyper_parameter("eps", "Added to the root of the second moment.", _checked_eps)


class SGD(Optimizer):
    """Stochastic gradient descent, x ← x − lr·g; no auxiliary state.

    Parameters
    ----------
    table, lr, backend, check_finite
        See `sketchlab.optimizer.Optimizer`.
    weight_decay : float
        Decoupled (Loshchilov & Hutter 2019), as in AdamW: x ← x − lr·weight_decay·x before each
        step, on the rows that it touches.

    Examples
    --------
    >>> import numpy as np, sketchlab as sl
    >>> table = np.zeros((3, 2), np.float32)
    >>> sl.SGD(table, lr=0.5).step([[1, 2]], rows=[1])
    >>> table
    array([[ 0. ,  0. ],
           [-0.5, -1. ],
           [ 0. ,  0. ]], dtype=float32)
    """

    def __init__(
        self,
        table: Table,
        lr: float,
        *,
        weight_decay: float = 0.0,
        backend: str | Backend = "cpu",
        check_finite: bool | None = None,
    ) -> None:
        rule = SGDRule(**_decay(weight_decay))
        super().__init__(table, lr, rule, {}, backend, check_finite)


class Momentum(Optimizer):
    """Heavy-ball momentum, or Nesterov's (Spring et al. 2019, Algorithm 2).

    m ← momentum·m + g;  x ← x − lr·m, or x ← x − lr·(g + momentum·m) with `nesterov`.

    Parameters
    ----------
    table, lr, backend, check_finite
        See `sketchlab.optimizer.Optimizer`.
    weight_decay : float
        Decoupled (Loshchilov & Hutter 2019), as in AdamW: x ← x − lr·weight_decay·x before each
        step, on the rows that it touches.
    momentum : float
        In [0, 1).
    nesterov : bool
    m : Description
        How m is kept; a store of signed values. `Dense` by default.

    Examples
    --------
    >>> import numpy as np, sketchlab as sl
    >>> table = np.zeros((1000, 4), np.float32)
    >>> opt = sl.Momentum(table, lr=0.1, m=sl.CountSketch(compression=5))
    >>> opt.step(np.ones((2, 4)), rows=[3, 8])
    >>> opt.nbytes / table.nbytes
    0.198
    """

    momentum = hyper_parameter("momentum", "Decay of m.", _checked_momentum)
    nesterov = hyper_parameter(
        "nesterov",
        "Whether a step follows g + momentum·m.",
        lambda value: checked_flag("nesterov", value),
    )

    def __init__(
        self,
        table: Table,
        lr: float,
        momentum: float = 0.9,
        nesterov: bool = False,
        m: Store | None = None,
        *,
        weight_decay: float = 0.0,
        backend: str | Backend = "cpu",
        check_finite: bool | None = None,
    ) -> None:
        rule = MomentumRule(
            _checked_momentum(momentum), checked_flag("nesterov", nesterov), **_decay(weight_decay)
        )
        super().__init__(table, lr, rule, {"m": _or_dense(m)}, backend, check_finite)


class Adagrad(Optimizer):
    """Adagrad, v ← v + g²; x ← x − lr·g/(√v + eps) (Spring et al. 2019, Algorithm 3).

    Parameters
    ----------
    table, lr, backend, check_finite
        See `sketchlab.optimizer.Optimizer`.
    weight_decay : float
        Decoupled (Loshchilov & Hutter 2019), as in AdamW: x ← x − lr·weight_decay·x before each
        step, on the rows that it touches.
    eps : float
        Not below zero.
    v : Description
        How v is kept. `Dense` by default.

    Examples
    --------
    >>> import numpy as np, sketchlab as sl
    >>> table = np.zeros(3, np.float64)
    >>> sl.Adagrad(table, lr=1.0).step(np.array([2.0, -1.0, 0.5]))
    >>> table
    array([-1.,  1., -1.])
    """

    eps = _EPS

    def __init__(
        self,
        table: Table,
        lr: float,
        eps: float = 1e-10,
        v: Store | None = None,
        *,
        weight_decay: float = 0.0,
        backend: str | Backend = "cpu",
        check_finite: bool | None = None,
    ) -> None:
        rule = AdagradRule(_checked_eps(eps), **_decay(weight_decay))
        super().__init__(table, lr, rule, {"v": _or_dense(v)}, backend, check_finite)


class RMSprop(Optimizer):
    """Adam with beta1 = 0: no first moment is kept, the second is bias-corrected.

    v ← beta·v + (1−beta)·g²;  x ← x − lr·g/(√(v/(1−betaᵗ)) + eps). The optimizer of the paper's
    theorem and of its "CMS" and "CS-V" figures (Spring et al. 2019, Algorithm 4, beta1 = 0).

    Parameters
    ----------
    table, lr, backend, check_finite
        See `sketchlab.optimizer.Optimizer`.
    weight_decay : float
        Decoupled (Loshchilov & Hutter 2019), as in AdamW: x ← x − lr·weight_decay·x before each
        step, on the rows that it touches.
    beta : float
        In [0, 1).
    eps : float
        Not below zero.
    v : Description
        How v is kept. `Dense` by default.
    clip : {None, "feasible"}
        Clip g/√ṽ to what an exact v can reach, √((1−betaᵗ)/(1−beta)): a no-op for exact variables
        and for all stores that never answer below the truth.

    Examples
    --------
    >>> import numpy as np, sketchlab as sl
    >>> table = np.zeros((1000, 4), np.float32)
    >>> opt = sl.RMSprop(table, lr=0.1, v=sl.CountMinSketch(conservative=True))
    >>> opt.step(np.ones((1, 4)), rows=[3])
    >>> table[3]
    array([-0.1, -0.1, -0.1, -0.1], dtype=float32)
    """

    beta = hyper_parameter("beta", "Decay of v.", _checked_beta)
    eps = _EPS

    def __init__(
        self,
        table: Table,
        lr: float,
        beta: float = 0.999,
        eps: float = 1e-8,
        v: Store | None = None,
        clip: Clip = None,
        *,
        weight_decay: float = 0.0,
        backend: str | Backend = "cpu",
        check_finite: bool | None = None,
    ) -> None:
        clipped = checked_choice("clip", clip, (None, "feasible")) is not None
        rule = RMSpropRule(_checked_beta(beta), _checked_eps(eps), clipped, **_decay(weight_decay))
        super().__init__(table, lr, rule, {"v": _or_dense(v)}, backend, check_finite)


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015; sketched: Spring et al. 2019, Algorithm 4).

    m ← beta1·m + (1−beta1)·g;  v ← beta2·v + (1−beta2)·g²;  x ← x − lr·m̃/(√ṽ + eps), with
    m̃ = m/(1−beta1ᵗ), ṽ = v/(1−beta2ᵗ) and t the number of the step.

    Parameters
    ----------
    table, lr, backend, check_finite
        See `sketchlab.optimizer.Optimizer`.
    weight_decay : float
        Decoupled (Loshchilov & Hutter 2019), as in AdamW: x ← x − lr·weight_decay·x before each
        step, on the rows that it touches.
    betas : pair of float
        Each in [0, 1).
    eps : float
        Not below zero.
    m, v : Description
        How m and v are kept; m needs a store of signed values. `Dense` by default.
    clip : {None, "feasible"}
        Clip m̃/√ṽ to the interval that exact moments can reach: a no-op for exact variables, it
        removes the blow-ups that a sketch's noise makes where √ṽ is tiny. The interval depends on
        how m and v decay; see `sketchlab.rules.feasible`. A lazily decayed m over a globally
        decayed v has none, and is refused.

    Examples
    --------
    >>> import numpy as np, sketchlab as sl
    >>> table = np.zeros((1000, 4), np.float32)
    >>> opt = sl.Adam(table, lr=1e-3, m=sl.CountSketch(compression=5),
    ...            v=sl.CountMinSketch(compression=5))
    >>> opt.step(np.ones((2, 4)), rows=[3, 8])
    >>> opt.nbytes, 2 * table.nbytes
    (6336, 32000)
    """

    betas = hyper_parameter("betas", "Decays of m and v.", _checked_betas)
    eps = _EPS

    def __init__(
        self,
        table: Table,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        m: Store | None = None,
        v: Store | None = None,
        clip: Clip = None,
        *,
        weight_decay: float = 0.0,
        backend: str | Backend = "cpu",
        check_finite: bool | None = None,
    ) -> None:
        descriptions = {"m": _or_dense(m), "v": _or_dense(v)}
        forms = None
        if checked_choice("clip", clip, (None, "feasible")):
            forms = tuple(_form(moment, store) for moment, store in descriptions.items())
            check_feasible(*forms)
        rule = AdamRule(_checked_betas(betas), _checked_eps(eps), forms, **_decay(weight_decay))
        super().__init__(table, lr, rule, descriptions, backend, check_finite)


class AMSGrad(Optimizer):
    """Adam whose steps are scaled by the largest v so far (Reddi, Kale & Kumar 2018).

    m and v as in `Adam`; v_max ← max(v_max, v);  x ← x − lr·m̃/(√ṽ + eps), with m̃ = m/(1−beta1ᵗ),
    ṽ = v_max/(1−beta2ᵗ) and t the number of the step; their Algorithm 2 leaves out the bias
    corrections and eps. In a sparse step only the touched rows move, of v_max, too.

    A maximum is not linear, so v_max is always kept exactly; v itself may be an estimate, whose
    largest error v_max then keeps.

    Parameters
    ----------
    table, lr, betas, eps, m, v, weight_decay, backend, check_finite
        As of `Adam`.

    Examples
    --------
    >>> import numpy as np, sketchlab as sl
    >>> table = np.zeros((1000, 4), np.float32)
    >>> opt = sl.AMSGrad(table, lr=0.1, betas=(0.0, 0.5), eps=0.0)
    >>> for gradient in (4.0, 1.0):
    ...     opt.step(np.full((1, 4), gradient), rows=[3])
    >>> [float(store.query([3])[0, 0]) for store in (opt.v, opt.v_max)]
    [4.5, 8.0]
    """

    betas = hyper_parameter("betas", "Decays of m and v.", _checked_betas)
    eps = _EPS

    def __init__(
        self,
        table: Table,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        m: Store | None = None,
        v: Store | None = None,
        *,
        weight_decay: float = 0.0,
        backend: str | Backend = "cpu",
        check_finite: bool | None = None,
    ) -> None:
        descriptions = {"m": _or_dense(m), "v": _or_dense(v), "v_max": Dense()}
        rule = AMSGradRule(_checked_betas(betas), _checked_eps(eps), **_decay(weight_decay))
        super().__init__(table, lr, rule, descriptions, backend, check_finite)


def _form(name, description):
    """How a moment forgets, as `check_feasible` names it."""
    check_description(name, description)
    if getattr(description, "shrink", False):
        return SHRUNKEN
    return WEIGHTED if getattr(description, "row_weights", False) else description.decay


def _or_dense(description):
    return Dense() if description is None else description
