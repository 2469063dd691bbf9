"""Boxes before a start: worked out by hand, and as the baseline that learns them scores them."""

import math

import numpy as np
import pytest
import torch

from dnalm.alphabet import UNKNOWN, encode
from dnalm.model.box_learning import LearnedBoxes
from dnalm.model.box_path import DISCRIMINATORS, MINUS_10, MINUS_35, REACH, SPACERS, BoxPath
from dnalm.model.doors import one_hot
from dnalm.sequences import Record
from dnalm.tracks.baselines.boxes import BoxModel


def read(path: BoxPath, codes: np.ndarray) -> np.ndarray:
    return path(one_hot(torch.from_numpy(codes.copy())[None]).transpose(1, 2))[0, 0].numpy()


@pytest.mark.parametrize(("spacer", "discriminator"), [(15, 10), (17, 7), (19, 4)])
def test_a_promoter_of_the_consensus_is_best_at_its_start_by_the_odds_of_twelve_bases(spacer, discriminator):
    before = MINUS_35 + "G" * spacer + MINUS_10 + "G" * discriminator
    found = read(BoxPath(), encode("C" * 50 + before + "G" + "C" * 50))
    assert found[50 + len(before)] == pytest.approx(max(found))
    by_hand = 12 * math.log(0.7 / 0.25) - math.log(len(SPACERS) * len(DISCRIMINATORS))
    assert 4 * found[50 + len(before)] == pytest.approx(by_hand, abs=0.01)


def test_what_is_unknown_says_nothing():
    assert np.abs(read(BoxPath(), np.full(90, UNKNOWN, dtype=np.uint8))).max() < 1e-6


def test_it_is_the_baselines_score():
    generator = np.random.default_rng(0)
    tables = [generator.dirichlet(np.ones(4), 6) for _ in range(2)]
    distances = [generator.dirichlet(np.ones(len(of))) for of in (SPACERS, DISCRIMINATORS)]
    background = np.array([0.3, 0.2, 0.2, 0.3])
    path = BoxPath()
    path.take(LearnedBoxes(*tables, *distances, background))
    codes = generator.integers(0, 5, 400).astype(np.uint8)  # some unknown
    baseline = BoxModel(*tables, *distances, background)
    wanted = baseline.scores(Record("made", codes), REACH, 400, "+")
    np.testing.assert_allclose(4 * read(path, codes)[REACH:], np.clip(wanted, -10, 10), atol=1e-4)
