"""Bounds on the regret of Adagrad with sketched second moments: one function a statement.

Convex losses with gradients g_t; x_{t+1,i} = x_{t,i} − η g_{t,i}/(√v̂_{t,i} + ε), nothing decays:
v_t = Σ_{s≤t} g_s². D_i is the largest |x_{t,i} − x*_i| of a run. The proofs are in docs/theory.md.

References
----------
Duchi, Hazan & Singer (2011). Anil, Gupta, Koren & Singer (2019), SM3.
"""

import numpy as np


def adagrad_regret(distances, estimates, truths, lr, eps=0.0):
    """Bound on Σ_t ⟨g_t, x_t − x*⟩, which is at least the regret.

    Σ_i D_i² (√v̂_{T,i} + ε)/(2η) + η Σ_i √v_{T,i}, for estimates that never fall and are never
    below v. Exact, linear and conservative sketches alike.

    Parameters
    ----------
    distances, estimates, truths : ndarray, (n,)
        D_i, v̂_{T,i} and v_{T,i}.
    lr, eps : float
    """
    approach = np.square(distances) * (np.sqrt(estimates) + eps)
    return float(approach.sum() / (2 * lr) + lr * np.sqrt(truths).sum())


def sm3_regret(distances, ceilings, lr, eps=0.0):
    """The same from ceilings C_i ≥ v̂_{T,i} alone, as for SM3 (Anil et al. 2019).

    Σ_i D_i² (√C_i + ε)/(2η) + η Σ_i √C_i. For the conservative sketch C_i = min_j Σ_t max g_t² over
    bucket_j(i), SM3's with hashed buckets as its cover; for the linear one a sum takes the
    maximum's place.

    Parameters
    ----------
    distances, ceilings : ndarray, (n,)
    lr, eps : float
    """
    return adagrad_regret(distances, ceilings, ceilings, lr, eps)
