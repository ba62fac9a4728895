"""The public optimizers: a rule, one store for each auxiliary variable, a backend."""

from copy import copy

import numpy as np

from sketchlab import checkpoint
from sketchlab.errors import ConfigurationError
from sketchlab.kernels import make_backend
from sketchlab.rules import (
    WEIGHTED,
    AdagradRule,
    AdamRule,
    MomentumRule,
    RMSpropRule,
    SGDRule,
    check_feasible,
)
from sketchlab.stores import Dense, Description
from sketchlab.validation import checked_choice, checked_number

__all__ = ["SGD", "Adagrad", "Adam", "Momentum", "Optimizer", "RMSprop"]


class Optimizer:
    """What all optimizers share; make one of the classes below.

    Parameters
    ----------
    table : ndarray, (n, ...), float32 or float64
        The parameters, C-contiguous and writeable; updated in place and not copied. Seen as n
        rows of d columns, whatever its shape. For ``"cuda"`` an array on the device, and so are
        the gradients and rows of a step: CuPy's, PyTorch's, numba-cuda's.
    lr : float
        Learning rate, not below zero.
    rule : rule
        See `sketchlab.rules`.
    descriptions : dict
        For each of the rule's moments, by name, how it is kept.
    backend : {"cpu", "reference", "cuda"} or backend
        A name, or a `sketchlab.kernels.cuda.CUDA` made with other settings.
    check_finite : bool, optional
        Refuse gradients with an infinity or NaN; by default only for ``"reference"``.

    Raises
    ------
    InputError
        If the table cannot be updated in place.
    ConfigurationError
        If a number is out of range, the backend is unknown, or a store cannot hold its moment.
    BackendError
        If the backend cannot run on this machine.
    """

    def __init__(self, table, lr, rule, descriptions, backend, check_finite):
        self._backend = make_backend(backend)
        self._view = self._backend.view(table)
        self.table = table
        self.lr = lr
        self.rule = rule
        self.check_finite = backend == "reference" if check_finite is None else bool(check_finite)
        self.step_count = 0
        for moment in rule.moments:
            _check_pairing(self.name, moment, descriptions[moment.name])
        self._stores = {
            moment.name: self._backend.allocate(
                descriptions[moment.name], *map(int, self._view.shape), self.dtype
            )
            for moment in rule.moments
        }

    def step(self, grads, rows=None):
        """Move the parameters by one step.

        Parameters
        ----------
        grads : array_like
            Gradients: of the active rows, (k, d) or (k, *table.shape[1:]), for a sparse step; of
            the whole table, in its shape, for a dense one.
        rows : array_like of int, (k,), optional
            The active rows of a sparse step; only these move. Gradients of equal rows are summed
            first. A step with no rows still counts, and lets ``global`` variables decay.

        Raises
        ------
        InputError
            If a shape does not match, a row is out of range, or, where `check_finite` is set, a
            gradient is not finite. Nothing has been changed then.
        """
        grads, rows = self._backend.inputs(
            grads, rows, self._view, tuple(self.table.shape), self.check_finite
        )
        step = self.step_count + 1
        scalars = self.rule.scalars(self.lr, step)
        scalars = type(scalars)(*map(self.dtype.type, scalars))
        self._backend.step(self.rule, scalars, self._view, rows, grads, self._stores.values())
        for store in self._stores.values():
            store.end_step(step)
        self.step_count = step

    @property
    def name(self):
        """The optimizer's name."""
        return type(self).__name__

    @property
    def lr(self):
        """Learning rate; set it to follow a schedule."""
        return self._lr

    @lr.setter
    def lr(self, lr):
        self._lr = checked_number("lr", lr, 0)

    @property
    def dtype(self):
        """NumPy's name for the dtype of the table, and of all state."""
        return np.dtype(self._view.dtype)

    @property
    def backend(self):
        """Name of the backend."""
        return self._backend.name

    @property
    def m(self):
        """The live store of the first moment, None where the rule keeps none."""
        return self._stores.get("m")

    @property
    def v(self):
        """The live store of the second moment, None where the rule keeps none."""
        return self._stores.get("v")

    @property
    def nbytes(self):
        """Bytes of auxiliary state."""
        return sum(store.nbytes for store in self._stores.values())

    def state_dict(self):
        """Everything but the parameters, as arrays, numbers and strings in one flat dict.

        Returns
        -------
        dict
            Copies: later steps do not change them.
        """
        state = checkpoint.collect(self, self._stores)
        return {key: copy(value) for key, value in state.items()}

    def load_state_dict(self, state):
        """Go on from a state that `state_dict` gave, the learning rate included.

        Raises
        ------
        CheckpointError
            If the state is incomplete or belongs to another optimizer, shape, dtype, store, hash
            or version. The optimizer then keeps the state that it had.
        """
        checkpoint.restore(self, self._stores, state)

    def save(self, path):
        """Write `state_dict` to a file, whole or not at all.

        Parameters
        ----------
        path : str or Path
            Written to a temporary file beside it, which then takes its place.

        Raises
        ------
        CheckpointError
            If the file cannot be written; an older file of that name is left as it was.
        """
        checkpoint.write(path, checkpoint.collect(self, self._stores))

    def load(self, path):
        """Go on from a file that `save` wrote.

        Raises
        ------
        CheckpointError
            As `load_state_dict`, or if the file is missing, truncated or of another kind.
        """
        self.load_state_dict(checkpoint.read(path))

    def __repr__(self):
        stores = "".join(f", {name}={store.description}" for name, store in self._stores.items())
        return f"<{self.name} on {self.table.shape}, {self.rule}, lr={self.lr}{stores}>"


def _check_description(name, description):
    if not isinstance(description, Description):
        raise ConfigurationError(
            f"{name}={description!r}: give a store such as sketchlab.Dense() or "
            "sketchlab.CountSketch()"
        )


def _check_pairing(name, moment, description):
    _check_description(moment.name, description)
    if not moment.squared and not description.signed:
        raise ConfigurationError(
            f"{moment.name}={description!r}: {type(description).__name__} holds non-negative "
            f"values, {name}'s {moment.name} is signed: use CountSketch or Dense"
        )


def _checked_eps(eps):
    return checked_number("eps", eps, 0)


class SGD(Optimizer):
    """Stochastic gradient descent, x ← x − lr·g; no auxiliary state.

    Parameters
    ----------
    table, lr, backend, check_finite
        See `Optimizer`.

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

    def __init__(self, table, lr, *, backend="cpu", check_finite=None):
        super().__init__(table, lr, SGDRule(), {}, backend, check_finite)


class Momentum(Optimizer):
    """Heavy-ball momentum, or Nesterov's (Spring et al. 2019, Algorithm 2).

    m ← momentum·m + g;  x ← x − lr·m, or x ← x − lr·(g + momentum·m) with `nesterov`.

    Parameters
    ----------
    table, lr, backend, check_finite
        See `Optimizer`.
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

    def __init__(
        self, table, lr, momentum=0.9, nesterov=False, m=None, *, backend="cpu", check_finite=None
    ):
        rule = MomentumRule(checked_number("momentum", momentum, 0, below=1), bool(nesterov))
        super().__init__(table, lr, rule, {"m": _or_dense(m)}, backend, check_finite)


class Adagrad(Optimizer):
    """Adagrad, v ← v + g²; x ← x − lr·g/(√v + eps) (Spring et al. 2019, Algorithm 3).

    Parameters
    ----------
    table, lr, backend, check_finite
        See `Optimizer`.
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

    def __init__(self, table, lr, eps=1e-10, v=None, *, backend="cpu", check_finite=None):
        rule = AdagradRule(_checked_eps(eps))
        super().__init__(table, lr, rule, {"v": _or_dense(v)}, backend, check_finite)


class RMSprop(Optimizer):
    """Adam with beta1 = 0: no first moment is kept, the second is bias-corrected.

    v ← beta·v + (1−beta)·g²;  x ← x − lr·g/(√(v/(1−betaᵗ)) + eps). The optimizer of the paper's
    theorem and of its "CMS" and "CS-V" figures (Spring et al. 2019, Algorithm 4, beta1 = 0).

    Parameters
    ----------
    table, lr, backend, check_finite
        See `Optimizer`.
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

    def __init__(
        self,
        table,
        lr,
        beta=0.999,
        eps=1e-8,
        v=None,
        clip=None,
        *,
        backend="cpu",
        check_finite=None,
    ):
        clipped = checked_choice("clip", clip, (None, "feasible")) is not None
        rule = RMSpropRule(checked_number("beta", beta, 0, below=1), _checked_eps(eps), clipped)
        super().__init__(table, lr, rule, {"v": _or_dense(v)}, backend, check_finite)


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015; sketched: Spring et al. 2019, Algorithm 4).

    m ← beta1·m + (1−beta1)·g;  v ← beta2·v + (1−beta2)·g²;  x ← x − lr·m̃/(√ṽ + eps), with
    m̃ = m/(1−beta1ᵗ), ṽ = v/(1−beta2ᵗ) and t the number of the step.

    Parameters
    ----------
    table, lr, backend, check_finite
        See `Optimizer`.
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

    def __init__(
        self,
        table,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        m=None,
        v=None,
        clip=None,
        *,
        backend="cpu",
        check_finite=None,
    ):
        try:
            beta1, beta2 = betas
        except (TypeError, ValueError):
            raise ConfigurationError(f"betas={betas!r}: give two numbers in [0, 1)") from None
        beta1 = checked_number("betas[0]", beta1, 0, below=1)
        beta2 = checked_number("betas[1]", beta2, 0, below=1)
        descriptions = {"m": _or_dense(m), "v": _or_dense(v)}
        form = None
        if checked_choice("clip", clip, (None, "feasible")):
            forms = {moment: _form(moment, store) for moment, store in descriptions.items()}
            check_feasible(forms["m"], forms["v"])
            form = forms["m"]
        rule = AdamRule((beta1, beta2), _checked_eps(eps), form)
        super().__init__(table, lr, rule, descriptions, backend, check_finite)


def _form(name, description):
    """How a moment forgets, as `check_feasible` names it."""
    _check_description(name, description)
    return WEIGHTED if getattr(description, "row_weights", False) else description.decay


def _or_dense(description):
    return Dense() if description is None else description
