"""Mutations with answers known beforehand: a model that is linear in the bases, and one that multiplies two of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_attribution import LENGTH, MOTIF, PLACE, motif_model, with_motif
from toy_models import aligned, classifier, classifier_bundle, random_codes

import dnalm
from dnalm.alphabet import UNKNOWN, decode, encode
from dnalm.errors import InputError
from dnalm.interpret.mutation import Mutations, probability_of
from dnalm.model.config import PoolHeadConfig, WideHeadConfig


def test_saturation_takes_away_each_base_of_the_motif(tmp_path):
    codes = with_motif()
    found = Mutations(motif_model(tmp_path), codes).saturation()
    wanted = np.zeros((LENGTH, 4))
    wanted[PLACE : PLACE + 6] = -2
    wanted[np.arange(LENGTH), codes] = 0
    np.testing.assert_allclose(found.change, wanted, atol=1e-5)
    np.testing.assert_allclose(found.bases[PLACE : PLACE + 6], 2, atol=1e-5)
    assert found.reference == pytest.approx(12, abs=1e-5)
    assert {at for at, _ in found.strongest(18)} == set(range(PLACE, PLACE + 6))
    assert found.strongest(5, gains=True) == [] or found.change.max() < 1e-5
    np.testing.assert_allclose(found.probability, probability_of(found.log_odds))


def test_saturation_is_what_predicting_each_variant_gives(tmp_path):
    model = dnalm.load(classifier_bundle(tmp_path / "toy", classifier(aligned(LENGTH), PoolHeadConfig())).folder)
    codes = random_codes(LENGTH, unknown=0.1)
    found = Mutations(model, codes).saturation()
    for at, base in ((0, 1), (7, 3), (LENGTH - 1, 0)):
        changed = codes.copy()
        changed[at] = base
        assert found.probability[at, base] == pytest.approx(model.predict([changed])[0].probability, abs=1e-5)


def test_pairs_of_a_linear_model_do_not_interact(tmp_path):
    found = Mutations(motif_model(tmp_path), with_motif()).epistasis(10, 20)
    assert np.nanmax(np.abs(found.pairs)) < 1e-4
    assert np.isnan(found.pairs[3, :, 3, :]).all()


def test_pairs_of_a_model_that_counts_pairs_do(tmp_path):
    module = classifier(WideHeadConfig(length=LENGTH, components=2, kmer=0, window_kmers=(), place_kmers=(2,)))
    with torch.no_grad():
        linear = module.members[0].head.linear
        linear.weight.zero_()
        linear.bias.zero_()
        linear.weight[1, -16 * (LENGTH - 1) + 16 * 8 + 4 * 3 + 2] = 5.0  # TG at base 8 adds 5
    model = dnalm.load(classifier_bundle(tmp_path / "pairs", module).folder)
    codes = np.zeros(LENGTH, np.uint8)
    found = Mutations(model, codes).epistasis(6, 12)
    assert found.pairs[2, 3, 3, 2] == pytest.approx(5, abs=1e-5)
    assert found.pairs[3, 2, 2, 3] == pytest.approx(5, abs=1e-5)
    assert np.abs(found.single).max() < 1e-5
    assert found.strongest[2, 3] == pytest.approx(5, abs=1e-5)
    assert np.nansum(np.abs(found.pairs) > 1e-4) == 2


def test_the_scramble_falls_where_the_motif_is(tmp_path):
    mutations = Mutations(motif_model(tmp_path), with_motif())
    found = mutations.scramble(6, draws=8, generator=np.random.default_rng(0))
    assert found.log_odds.shape == (8, LENGTH - 5)
    np.testing.assert_allclose(found.log_odds[:, : PLACE - 5], 12, atol=1e-4)
    np.testing.assert_allclose(found.log_odds[:, PLACE + 6 :], 12, atol=1e-4)
    assert np.argmin(found.log_odds.mean(0)) in range(PLACE - 1, PLACE + 2)
    assert found.spread[PLACE] > 0
    assert found.spread[0] == pytest.approx(0, abs=1e-6)
    assert found.centres[0] == 2.5


def test_a_fixed_k_mer_is_the_same_everywhere_and_a_given_one_is_put_in(tmp_path):
    mutations = Mutations(motif_model(tmp_path), random_codes(LENGTH))
    fixed = mutations.scramble(4, draws=3, generator=np.random.default_rng(0), fixed=True)
    assert len(fixed.inserted) == 3
    again = mutations.insert([encode(text) for text in fixed.inserted])
    np.testing.assert_allclose(np.concatenate([one.log_odds for one in again]), fixed.log_odds, atol=1e-5)
    put = mutations.insert([encode(MOTIF)])[0]
    assert put.inserted == (MOTIF,)
    assert np.argmax(put.log_odds[0]) == PLACE
    assert put.log_odds[0, PLACE] == pytest.approx(12, abs=1e-4)
    assert np.isnan(put.spread).all()


def test_the_same_seed_scrambles_alike(tmp_path):
    mutations = Mutations(motif_model(tmp_path), with_motif())
    one, two = (mutations.scramble(3, draws=2, generator=np.random.default_rng(4)).log_odds for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_what_cannot_be_asked_is_said(tmp_path):
    mutations = Mutations(motif_model(tmp_path), with_motif())
    rng = np.random.default_rng(0)
    for call, sentence in (
        (lambda: mutations.scramble(16, draws=1, generator=rng), "k is 16; wanted: 1 to 15"),
        (lambda: mutations.scramble(3, draws=0, generator=rng), "0 draws"),
        (lambda: mutations.epistasis(25, 31), "base 26 to 31 of 30"),
        (lambda: mutations.insert([encode("TANA")]), "all known"),
    ):
        with pytest.raises(InputError, match=sentence):
            call()


def test_unknown_bases_become_each_of_the_four(tmp_path):
    codes = with_motif()
    codes[PLACE] = UNKNOWN
    found = Mutations(motif_model(tmp_path), codes).saturation()
    assert found.change[PLACE, encode("T")[0]] == pytest.approx(2, abs=1e-5)
    assert decode(codes)[PLACE] == "N"


def test_an_unknown_base_is_worth_nothing(tmp_path):
    codes = with_motif()
    codes[PLACE] = UNKNOWN
    assert Mutations(motif_model(tmp_path), codes).saturation().bases[PLACE] == 0
