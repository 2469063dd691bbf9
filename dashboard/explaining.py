"""What the pages of Explain ask of a model, in bounded caches and for a bounded time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import resources
from dashboard.turns import a_turn
from dnalm.alphabet import Codes, encode
from dnalm.errors import InputError
from dnalm.interpret.anchored import as_classifier
from dnalm.interpret.attribution import METHODS, Attribution, Baseline, Method, attribute
from dnalm.interpret.average import Average, average
from dnalm.interpret.edits import deletions, edited
from dnalm.interpret.mutation import Epistasis, Mutations, Saturation, Scramble
from dnalm.interpret.variants import TOLERANCE
from dnalm.model.bundle import Bundle

MUTATION = "mutation"
TITLES: dict[str, str] = {
    MUTATION: "Mutation",
    "integrated-gradients": "Integrated gradients",
    "gradient-shap": "Gradient SHAP",
    "input-x-gradient": "Input × gradient",
    "saliency": "Saliency",
    "occlusion": "Occlusion",
    "embedding-gradients": "Embedding gradients",
}
BASELINES: dict[str, str] = {
    "background": "Its own base composition",
    "shuffled": "Its dinucleotides, shuffled",
    "uniform": "Four equally likely bases",
}
assert set(TITLES) == {MUTATION, *METHODS}
LONGEST_MAP = 600
"""Bases whose every change a page computes at a time."""
LONGEST_BY = {"occlusion": 800, "gradient-shap": 800}
"""Bases that the slow methods are tried on."""
LONG = 1500
"""Of longer sequences changes are followed with less patience: to 1e-5, which probabilities do not show."""
_BUDGET = 16_000  # bases read for an integral
SEED = 0


def effort(length: int) -> tuple[int, int]:
    """Steps of the integral, and shuffles, that a page has time for."""
    shuffles = int(np.clip(_BUDGET // (24 * length), 1, 8))
    return int(np.clip(_BUDGET // (shuffles * length), 16, 24)), shuffles


def attribution(bundle: Bundle, codes: Codes, method: Method, baseline: Baseline, label: str | None) -> Attribution:
    """What each base adds, from the cache where this was asked before.

    Raises:
        InputError: the method takes too long on a sequence of this length.
    """
    if len(codes) > LONGEST_BY.get(method, len(codes)):
        raise InputError(
            f"{TITLES[method]} takes too long for a page on {len(codes):,} bases: {LONGEST_BY[method]:,} at most;"
            " choose a region, another method, or `dnalm explain saliency`"
        )
    return _attribution(str(bundle.folder), resources.stamp(bundle), codes.tobytes(), method, baseline, label)


@st.cache_resource(max_entries=200, show_spinner=False)
def _attribution(
    folder: str, stamp: tuple[int, ...], codes: bytes, method: Method, baseline: Baseline, label: str | None
) -> Attribution:
    steps, shuffles = effort(len(codes))
    told = {"steps": steps, "shuffles": shuffles, "generator": np.random.default_rng(SEED)}
    with a_turn():
        model = as_classifier(resources.loaded(folder, stamp))
        return attribute(model, [_codes(codes)], method=method, baseline=baseline, label=label, **told)[0]


def saturation(bundle: Bundle, codes: Codes, label: str | None, span: tuple[int, int] | None = None) -> Saturation:
    """Every change of one base."""
    return _saturation(str(bundle.folder), resources.stamp(bundle), codes.tobytes(), label, span)


@st.cache_resource(max_entries=200, show_spinner=False)
def _saturation(
    folder: str, stamp: tuple[int, ...], codes: bytes, label: str | None, span: tuple[int, int] | None
) -> Saturation:
    with a_turn() as progress:
        told = {"label": label, "tolerance": 1e-5 if len(codes) > LONG else TOLERANCE}
        return Mutations(resources.loaded(folder, stamp), _codes(codes), **told).saturation(progress, span=span)


def scrambles(
    bundle: Bundle, codes: Codes, label: str | None, ks: Sequence[int], draws: int, fixed: bool, inserted: Sequence[str]
) -> list[Scramble]:
    """The sliding scramble, one a k; or given k-mers put in."""
    told = (tuple(ks), draws, fixed, tuple(inserted))
    return _scrambles(str(bundle.folder), resources.stamp(bundle), codes.tobytes(), label, *told)


@st.cache_resource(max_entries=64, show_spinner=False)
def _scrambles(
    folder: str,
    stamp: tuple[int, ...],
    codes: bytes,
    label: str | None,
    ks: tuple[int, ...],
    draws: int,
    fixed: bool,
    inserted: tuple[str, ...],
) -> list[Scramble]:
    with a_turn() as progress:
        mutations = Mutations(resources.loaded(folder, stamp), _codes(codes), label=label)
        if inserted:
            return mutations.insert([encode(text) for text in inserted], progress)
        return [
            mutations.scramble(
                k, draws=draws, generator=np.random.default_rng([SEED, k]), fixed=fixed, progress=progress
            )
            for k in ks
        ]


def epistasis(bundle: Bundle, codes: Codes, label: str | None, start: int, end: int) -> Epistasis:
    """All pairs of changes in a window."""
    return _epistasis(str(bundle.folder), resources.stamp(bundle), codes.tobytes(), label, start, end)


@st.cache_resource(max_entries=64, show_spinner=False)
def _epistasis(folder: str, stamp: tuple[int, ...], codes: bytes, label: str | None, start: int, end: int) -> Epistasis:
    with a_turn() as progress:
        mutations = Mutations(resources.loaded(folder, stamp), _codes(codes), label=label)
        return mutations.epistasis(start, end, progress)


def without(bundle: Bundle, codes: Codes, anchor: int | None, label: str | None, size: int) -> np.ndarray:
    """Change in log-odds when so many bases are taken out, from each place on, shape `(places,)`."""
    return _without(str(bundle.folder), resources.stamp(bundle), codes.tobytes(), anchor, label, size)


@st.cache_resource(max_entries=64, show_spinner=False)
def _without(
    folder: str, stamp: tuple[int, ...], codes: bytes, anchor: int | None, label: str | None, size: int
) -> np.ndarray:
    with a_turn():
        model = resources.loaded(folder, stamp)
        here = _codes(codes)
        length = model.module.fixed_length
        variants = [edited(here, [one], length=length, anchor=anchor) for one in deletions(here, size)]
        mutations = Mutations(model, here, label=label)
        return mutations.of_any(variants) - mutations.reference


def of_class(bundle: Bundle, codes: Sequence[Codes], method: str, baseline: Baseline, label: str, key: str) -> Average:
    """The average over a class around its site; `key` names the sequences."""
    return _of_class(str(bundle.folder), resources.stamp(bundle), key, method, baseline, label, list(codes))


@st.cache_resource(max_entries=32, show_spinner=False)
def _of_class(
    folder: str, stamp: tuple[int, ...], key: str, method: str, baseline: Baseline, label: str, _codes_of: list[Codes]
) -> Average:
    scores = []
    with a_turn() as progress:
        model = resources.loaded(folder, stamp)
        for number, codes in enumerate(_codes_of):
            progress(number, len(_codes_of))
            if method == MUTATION:
                scores.append(Mutations(model, codes, label=label).saturation().bases)
            else:
                told = {"generator": np.random.default_rng(SEED), "shuffles": 2, "steps": 12}
                one = attribute(model, [codes], method=method, baseline=baseline, label=label, **told)[0]  # type: ignore[arg-type]
                scores.append(one.bases)
    return average(_codes_of, scores)


def calls(bundle: Bundle, sequences: Sequence[Codes], key: str) -> pd.DataFrame:
    """What the model says of the sequences of a set: columns `called` and `probability` (of the positive class)."""
    return _calls(str(bundle.folder), resources.stamp(bundle), key, list(sequences))


@st.cache_resource(max_entries=8, show_spinner="Reading what the model says of the set")
def _calls(folder: str, stamp: tuple[int, ...], key: str, _sequences: list[Codes]) -> pd.DataFrame:
    with a_turn():
        model = resources.loaded(folder, stamp)
        said = [model.call(row) for row in model.probabilities(_sequences)]
    return pd.DataFrame({"called": [one.label for one in said], "probability": [one.probability for one in said]})


def _codes(codes: bytes) -> Codes:
    return np.frombuffer(codes, dtype=np.uint8).copy()
