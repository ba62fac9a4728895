"""Which store errs least, predicted from four numbers: load, decay, touch rate, Zipf exponent."""

import json
from pathlib import Path

import numpy as np
from scipy.interpolate import RBFInterpolator

from analysis.lab.errors import UsageError

# How far apart the two sides of the stability threshold are put, in doublings of the load.
_CLIFF = 10.0


class StoreMap:
    """Errors of stores, interpolated between measured streams.

    Linear radial basis functions of log K, log 1/(1−c), log p and a. Where p·K(1−c), the factor
    that decides whether `lazy` and `bucket` decay are stable, passes 1, errors jump; the distance
    between the two sides is therefore enlarged.

    Parameters
    ----------
    points : list of dict
        ``load``, ``keep``, ``touched``, ``exponent`` and ``errors``, a dict from store to error.
    """

    def __init__(self, points):
        self.stores = tuple(points[0]["errors"])
        places = [
            _place(point["load"], point["keep"], point["touched"], point["exponent"])
            for point in points
        ]
        errors = [[point["errors"][store] for store in self.stores] for point in points]
        self._interpolate = RBFInterpolator(places, errors, kernel="linear")

    @classmethod
    def read(cls, path):
        """The map of a result file that ``python -m analysis run store-map`` wrote.

        Raises
        ------
        UsageError
            If the file cannot be read or holds no finished map.
        """
        try:
            studies = json.loads(Path(path).read_text(encoding="utf-8"))["studies"]
            finished = [study["summary"] for study in studies if study["summary"]]
            return cls(finished[-1]["grid"])
        except (OSError, ValueError, KeyError, IndexError) as error:
            raise UsageError(
                f"no finished map in {path} ({error}): `python -m analysis run store-map` makes it"
            ) from None

    def errors(self, load, keep, touched, exponent):
        """Predicted error of every store, in octaves.

        Parameters
        ----------
        load : float
            K, rows a bucket: n / width.
        keep : float
            c, the decay of the moment, below 1.
        touched : float
            p, the share of the rows that a step touches.
        exponent : float
            a, where the i-th largest second moment is ∝ i^(−a).

        Returns
        -------
        dict of str to float
        """
        place = _place(load, keep, touched, exponent)
        return dict(zip(self.stores, self._interpolate([place])[0].tolist()))

    def best(self, load, keep, touched, exponent):
        """The store of the smallest predicted error; parameters as `errors`."""
        predicted = self.errors(load, keep, touched, exponent)
        return min(predicted, key=predicted.get)


def _place(load, keep, touched, exponent):
    """Coordinates in which errors change evenly: doublings, except of the exponent."""
    load, forget, touched = np.log2([load, 1 - keep, touched])
    cliff = _CLIFF * np.clip(load + forget + touched, -1, 1)
    return [load, forget, touched, 2 * exponent, cliff]
