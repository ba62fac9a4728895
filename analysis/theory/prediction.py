"""Which store errs least, predicted from four numbers: load, decay, touch rate, Zipf exponent."""

import json
from pathlib import Path

import numpy as np
from scipy.interpolate import RBFInterpolator

from analysis.lab.errors import UsageError

AXES = ("load", "keep", "touched", "exponent")
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
    held_out : list of dict
        Other points, which tell how far off predictions are.

    Attributes
    ----------
    stores : tuple of str
    box : dict of str to pair of float
        The smallest and the largest value of each axis in `points`.
    doubt : dict of str to float
        For every store the median, over `held_out`, of |predicted − measured|, in octaves. It has
        both the map's own error and that of the measurement in it. Empty where none are held out.
    """

    def __init__(self, points, held_out=()):
        self.stores = tuple(points[0]["errors"])
        self.box = {axis: _range([point[axis] for point in points]) for axis in AXES}
        places = [_place(*(point[axis] for axis in AXES)) for point in points]
        errors = [[point["errors"][store] for store in self.stores] for point in points]
        self._interpolate = RBFInterpolator(places, errors, kernel="linear")
        off = [self._off(point) for point in held_out]
        self.doubt = {
            name: float(np.median([one[name] for one in off])) for name in self.stores if off
        }

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
            return cls(finished[-1]["grid"], finished[-1]["held_out"])
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

    def nearest(self, **place):
        """The nearest place inside `box`; parameters as `errors`.

        Returns
        -------
        dict of str to float
            The place itself, where that is inside.
        """
        return {axis: float(np.clip(value, *self.box[axis])) for axis, value in place.items()}

    def _off(self, point):
        predicted = self.errors(*(point[axis] for axis in AXES))
        return {name: abs(predicted[name] - error) for name, error in point["errors"].items()}

    def best(self, load, keep, touched, exponent):
        """The store of the smallest predicted error; parameters as `errors`."""
        predicted = self.errors(load, keep, touched, exponent)
        return min(predicted, key=predicted.get)


def _range(values):
    return min(values), max(values)


def _place(load, keep, touched, exponent):
    """Coordinates in which errors change evenly: doublings, except of the exponent."""
    load, forget, touched = np.log2([load, 1 - keep, touched])
    cliff = _CLIFF * np.clip(load + forget + touched, -1, 1)
    return [load, forget, touched, 2 * exponent, cliff]
