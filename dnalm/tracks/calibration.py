"""What a score is worth: the share of calls of such a score that are right, learned where the truth is known.

A model's probability speaks of the windows or bases it was trained on, in their proportions. Of the calls of a scan at
.8 far fewer than eight in ten lie at a known start, since a genome offers thousands of places to be wrong at. Which
share does is learned from calls in regions that the model was not trained on: by isotonic regression (never falling,
no shape assumed: Zadrozny & Elkan 2002), or by Platt's sigmoid of the score's log-odds (Platt 1999) where calls are
few.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dnalm.errors import InputError
from dnalm.files import write_whole
from dnalm.metrics.sites import match
from dnalm.tracks.calls import Calls
from dnalm.tracks.peaks import Peak

if TYPE_CHECKING:
    from dnalm.annotation import Site

METHODS = ("isotonic", "platt")
METRIC = "calibration"
"""Where a model's metrics keep its calibration."""
_LEAST_CALLS = 20
_EDGE = 1e-6


@dataclass(frozen=True)
class Calibration:
    """From a score to the share of calls of that score that are right.

    Attributes:
        method: "isotonic" or "platt".
        scores: for "isotonic", scores of the corners, ascending; between them the share is interpolated.
        shares: the shares there. For "platt" slope and intercept over the score's log-odds.
        calls: how many calls it was learned from.
        right: how many of them were right.
        tolerance: bases within which a call was right.
        facts: what it was learned on: model, truth, regions, distance.
    """

    method: str
    scores: tuple[float, ...]
    shares: tuple[float, ...]
    calls: int
    right: int
    tolerance: int
    facts: dict[str, Any] = field(default_factory=dict)

    def __call__(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Share of right calls at each score, shape as given, 0 to 1."""
        values = np.asarray(scores, dtype=np.float64)
        if self.method == "isotonic":
            return np.interp(values, self.scores, self.shares)
        slope, intercept = self.shares
        return 1 / (1 + np.exp(-(slope * _log_odds(values) + intercept)))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "scores": list(self.scores), "shares": list(self.shares)}

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Calibration:
        """From what `as_dict` gave.

        Raises:
            InputError: a field is missing or not as it should be.
        """
        try:
            made = cls(**{**found, "scores": tuple(found["scores"]), "shares": tuple(found["shares"])})
        except (KeyError, TypeError) as error:
            raise InputError(f"this is no calibration: {error}") from None
        sound = len(made.scores) == len(made.shares) > 0 if made.method == "isotonic" else len(made.shares) == 2
        if made.method not in METHODS or not sound:
            raise InputError(f"this is no calibration: method {made.method!r} with {len(made.shares)} shares")
        return made

    def write(self, path: str | Path) -> Path:
        """Write it as JSON, whole."""
        write_whole(Path(path), json.dumps(self.as_dict(), indent=1) + "\n")
        return Path(path)

    @classmethod
    def read(cls, path: str | Path) -> Calibration:
        """Read what `write` wrote.

        Raises:
            InputError: it is not such a file.
        """
        try:
            return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
        except ValueError as error:
            raise InputError(f"{path}: not JSON: {error}") from error


def calibrate(
    scores: ArrayLike, right: ArrayLike, *, tolerance: int, method: str = "isotonic", **facts: Any
) -> Calibration:
    """Learn what a score is worth from calls whose truth is known.

    Args:
        scores: of calls in regions that the model was not trained on, called as they will be called (same distance
            and smoothing) and without a threshold; shape `(n,)`, 0 to 1.
        right: whether a known site of its strand lies within the tolerance, shape `(n,)`.
        tolerance: those bases, for the record.
        method: "isotonic" or "platt".
        facts: what else to keep.

    Raises:
        InputError: too few calls, all right or none, or no such method.
    """
    values, truth = np.asarray(scores, dtype=np.float64), np.asarray(right).astype(bool)
    if method not in METHODS:
        raise InputError(f"calibration is {' or '.join(METHODS)}, not {method!r}")
    if len(values) < _LEAST_CALLS or truth.all() or not truth.any():
        raise InputError(
            f"{len(values)} calls of which {int(truth.sum())} are right are too few to calibrate on: at least "
            f"{_LEAST_CALLS} are wanted, right ones and wrong ones"
        )
    if method == "isotonic":
        from sklearn.isotonic import IsotonicRegression

        fitted = IsotonicRegression(out_of_bounds="clip").fit(values, truth.astype(np.float64))
        corners, shares = fitted.X_thresholds_, fitted.y_thresholds_
    else:
        from sklearn.linear_model import LogisticRegression

        # Platt's targets are shrunk towards the middle so that few calls do not claim certainty.
        n_right, n_wrong = int(truth.sum()), int((~truth).sum())
        target = np.where(truth, (n_right + 1) / (n_right + 2), 1 / (n_wrong + 2))
        twice = np.concatenate([values, values])
        fitted = LogisticRegression(C=np.inf).fit(
            _log_odds(twice)[:, None], np.repeat([1, 0], len(values)), np.concatenate([target, 1 - target])
        )
        corners, shares = np.empty(0), np.array([fitted.coef_[0, 0], fitted.intercept_[0]])
    return Calibration(
        method,
        tuple(float(value) for value in corners),
        tuple(float(value) for value in shares),
        len(values),
        int(truth.sum()),
        tolerance,
        facts,
    )


def calibrate_calls(
    calls: Sequence[Calls], truth: Sequence[Site], *, tolerance: int, method: str = "isotonic", **facts: Any
) -> Calibration:
    """Learn it from all calls of regions, without a threshold, and the known sites there.

    Args:
        calls: from `calls_of`.
        truth: known sites, of any record.
        tolerance: bases within which a call is right.
        method: "isotonic" or "platt".
        facts: what else to keep.

    Raises:
        InputError: see `calibrate`.
    """
    right = []
    for one in calls:
        here = [site for site in truth if site.record == one.record]
        found = match(
            one.positions,
            one.names,
            one.scores,
            [site.position for site in here],
            [site.strand for site in here],
            tolerance,
            circular_length=one.record_length if one.circular else None,
        )
        right.append(found.right)
    regions = [f"{one.record}:{one.start + 1}-{one.end}" for one in calls]
    return calibrate(
        np.concatenate([np.empty(0), *(one.scores for one in calls)]),
        np.concatenate([np.empty(0, dtype=bool), *right]),
        tolerance=tolerance,
        method=method,
        regions=regions,
        **facts,
    )


def calibrated(peaks: Sequence[Peak], calibration: Calibration) -> list[Peak]:
    """The peaks, each with the share of calls of such a score that were right."""
    shares = calibration(np.array([peak.probability for peak in peaks]))
    return [replace(peak, calibrated=float(share)) for peak, share in zip(peaks, shares, strict=True)]


def _log_odds(values: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.clip(values, _EDGE, 1 - _EDGE)
    return np.log(inside) - np.log1p(-inside)
