"""Attribution: sums that must come out, weight where it was put, both doors alike, draws that repeat."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_models import aligned, classifier, classifier_bundle, random_codes

import dnalm
from dnalm.alphabet import UNKNOWN, encode
from dnalm.errors import InputError
from dnalm.interpret.attribution import BASELINES, METHODS, SUMMING, attribute, log_odds
from dnalm.model.config import PoolHeadConfig, WideHeadConfig
from dnalm.model.doors import one_hot
from dnalm.sequences.shuffle import dinucleotide_shuffles

LENGTH = 30
MOTIF, PLACE = "TATAAT", 12


def rng(seed=0):
    return np.random.default_rng(seed)


def motif_model(tmp_path):
    """Linear in the bases: each base of TATAAT at its place adds 2 to the log-odds, whatever else there is."""
    module = classifier(WideHeadConfig(length=LENGTH, components=2, kmer=0, window_kmers=()))
    head = module.members[0].head
    with torch.no_grad():
        head.linear.weight.zero_()
        head.linear.bias.zero_()
        weights = torch.zeros(LENGTH, 4)
        weights[torch.arange(PLACE, PLACE + 6), torch.from_numpy(encode(MOTIF).astype(np.int64))] = 2.0
        head.linear.weight[1, -4 * LENGTH :] = weights.flatten()
    return dnalm.load(classifier_bundle(tmp_path / "motif", module).folder)


def with_motif(seed=0):
    codes = random_codes(LENGTH, seed)
    codes[PLACE : PLACE + 6] = encode(MOTIF)
    return codes


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"embedding-gradients"}))
def test_a_known_motif_gets_its_weight_exactly_there(tmp_path, method):
    told = {"occluded": 1, "baseline": "uniform"}
    found = attribute(motif_model(tmp_path), [with_motif()], method=method, generator=rng(), **told)[0]
    each = 1.5  # of 2: the uniform baseline has a quarter of each base already
    wanted = np.zeros(LENGTH)
    wanted[PLACE : PLACE + 6] = each
    np.testing.assert_allclose(found.bases, wanted, atol=1e-5)
    assert found.log_odds == pytest.approx(12, abs=1e-5)


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize("heads", [[PoolHeadConfig(width=7)], [aligned(LENGTH), WideHeadConfig(length=LENGTH)]])
def test_integrated_gradients_sum_to_the_difference_in_log_odds(tmp_path, baseline, heads):
    model = dnalm.load(classifier_bundle(tmp_path / "toy", classifier(*heads)).folder)
    for found in attribute(
        model, [random_codes(LENGTH, seed) for seed in range(3)], baseline=baseline, generator=rng(), steps=200
    ):
        logits = model.logits([found.codes])[0]
        assert found.log_odds == pytest.approx(float(logits[1] - logits[0]), abs=1e-5)
        assert found.bases.sum() == pytest.approx(found.log_odds - found.baseline_log_odds, abs=5e-3)
        assert abs(found.delta) < 5e-3
        assert not found.warning


def test_embedding_gradients_sum_to_what_goes_through_the_encoder(tmp_path):
    model = dnalm.load(classifier_bundle(tmp_path / "toy", classifier(PoolHeadConfig(width=7))).folder)
    found = attribute(model, [random_codes(LENGTH)], method="embedding-gradients", generator=rng(), steps=200)[0]
    assert abs(found.delta) < 5e-3  # a pool head reads nothing but states, so that this is all there is
    assert found.bases.sum() == pytest.approx(found.log_odds - found.baseline_log_odds, abs=5e-3)


def test_too_few_steps_are_told(tmp_path):
    model = dnalm.load(classifier_bundle(tmp_path / "toy", classifier(PoolHeadConfig(width=7))).folder)
    with torch.no_grad():
        for name, weights in model.module.named_parameters():
            if "mlp" in name:
                weights *= 20
    found = attribute(model, [random_codes(LENGTH)], baseline="uniform", generator=rng(), steps=1)[0]
    assert "not accounted for" in found.warning


def test_both_doors_agree():
    module = classifier(aligned(LENGTH), WideHeadConfig(length=LENGTH, half_word=2), PoolHeadConfig())
    codes = torch.from_numpy(np.stack([random_codes(LENGTH, seed, unknown=0.1) for seed in range(4)]))
    lengths = torch.full((4,), LENGTH)
    with torch.no_grad():
        torch.testing.assert_close(
            module(codes, lengths), module.from_bases(one_hot(codes), lengths), atol=1e-5, rtol=0
        )


def test_unknown_bases_get_nothing(tmp_path):
    model = dnalm.load(classifier_bundle(tmp_path / "toy", classifier(aligned(LENGTH))).folder)
    codes = random_codes(LENGTH)
    codes[4:9] = UNKNOWN
    for method in METHODS:
        found = attribute(model, [codes], method=method, generator=rng())[0]
        assert np.all(found.scores[4:9] == 0), method
        assert np.any(found.scores != 0), method


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_scores_and_leaves_the_world_as_it_was(tmp_path, method):
    model = dnalm.load(classifier_bundle(tmp_path / "toy", classifier(aligned(LENGTH))).folder)
    np.random.seed(5)
    torch.manual_seed(5)
    before, drawn = np.random.get_state()[1].copy(), torch.get_rng_state()
    one, two, other = (
        attribute(model, [random_codes(LENGTH)], method=method, generator=rng(seed))[0] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.scores, two.scores)
    if method in SUMMING:
        assert np.any(one.scores != other.scores)
    np.testing.assert_array_equal(before, np.random.get_state()[1])
    assert torch.equal(drawn, torch.get_rng_state())
    assert not torch.is_grad_enabled() or all(not one.requires_grad for one in model.module.parameters())


def test_several_classes_are_explained_one_at_a_time(tmp_path):
    module = classifier(PoolHeadConfig(), classes=3)
    bundle = classifier_bundle(tmp_path / "three", module, labels=["a", "b", "c"], positive=None, threshold=None)
    model = dnalm.load(bundle.folder)
    codes = random_codes(LENGTH)
    called = model.predict([codes])[0].label
    assert attribute(model, [codes], generator=rng())[0].label == called
    found = attribute(model, [codes], label="b", generator=rng(), steps=100)[0]
    p = model.probabilities([codes])[0][1]
    assert found.probability == pytest.approx(p, abs=1e-5)
    assert abs(found.delta) < 0.01


def test_what_is_asked_wrongly_is_said(tmp_path):
    model = dnalm.load(classifier_bundle(tmp_path / "toy", classifier(aligned(LENGTH))).folder)
    for told, sentence in (
        ({"method": "deep-lift"}, "no method of attribution"),
        ({"baseline": "zero"}, "no baseline"),
        ({"label": "enhancer"}, "no class 'enhancer'"),
    ):
        with pytest.raises(InputError, match=sentence):
            attribute(model, [random_codes(LENGTH)], generator=rng(), **told)
    with pytest.raises(InputError, match="exactly 30"):
        attribute(model, [random_codes(29)], generator=rng())


def test_log_odds_are_those_of_the_probability():
    logits = torch.tensor([[1.0, 2.0, 0.5]])
    p = torch.softmax(logits, 1)[0, 1]
    assert float(log_odds(logits, 1)) == pytest.approx(float(torch.log(p / (1 - p))))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(0, 2**31))
def test_a_shuffle_keeps_every_pair_of_neighbours(bases, seed):
    codes = np.array(bases, dtype=np.uint8)
    known = codes[codes < UNKNOWN]
    for row in dinucleotide_shuffles(codes, 3, rng(seed)):
        np.testing.assert_array_equal(row == UNKNOWN, codes == UNKNOWN)
        kept = row[row < UNKNOWN]
        assert Counter(pairwise(kept.tolist())) == Counter(pairwise(known.tolist()))


def test_every_order_is_equally_likely():
    codes = encode("ACAGATA")  # A before and after each of C, G and T: six orders
    drawn = Counter(bytes(row) for row in dinucleotide_shuffles(codes, 6000, rng()))
    assert len(drawn) == 6
    assert all(850 < count < 1150 for count in drawn.values())


def test_long_runs_of_one_base_are_shuffled_at_once():
    codes = encode("A" * 400 + "C" * 400 + "G" * 400 + "T")
    (row,) = dinucleotide_shuffles(codes, 1, rng())
    assert Counter(pairwise(row.tolist())) == Counter(pairwise(codes.tolist()))


def test_a_long_sequence_is_sampled_a_few_points_at_a_time(tmp_path, monkeypatch):
    model = dnalm.load(classifier_bundle(tmp_path / "toy", classifier(PoolHeadConfig(width=7))).folder)
    monkeypatch.setattr("dnalm.interpret.attribution._BATCH_BASES", 10 * LENGTH)
    found = attribute(model, [random_codes(LENGTH)], method="gradient-shap", generator=rng())[0]
    assert abs(found.delta) < 0.5


def test_a_genomes_composition_is_the_background_where_it_is_given(tmp_path):
    told = {"baseline": "background", "generator": rng()}
    model = motif_model(tmp_path)
    found = attribute(model, [with_motif()], composition=[0.5, 0.1, 0.1, 0.3], **told)[0]
    wanted = [2 * (1 - {"A": 0.5, "T": 0.3}[base]) for base in MOTIF]
    np.testing.assert_allclose(found.bases[PLACE : PLACE + 6], wanted, atol=1e-5)
    with pytest.raises(InputError, match="shares of A, C, G and T"):
        attribute(model, [with_motif()], composition=[1.0, -1.0, 0.0, 0.0], **told)
