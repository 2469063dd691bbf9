"""Variants of one sequence: the same scores as reading each anew, for every head, change and length."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_models import aligned, classifier, classifier_bundle, random_codes, tiny_encoder

import dnalm
import dnalm.interpret.following as following
from dnalm.errors import InputError
from dnalm.interpret.outlook import OfStates, Outlook
from dnalm.interpret.strand import Strand
from dnalm.interpret.variants import VariantScorer
from dnalm.model.classifier import SequenceClassifier
from dnalm.model.config import MemberConfig, PoolHeadConfig, WideHeadConfig
from dnalm.training.seeding import seeded

LENGTH = 34
HEADS = {
    "pool": [PoolHeadConfig(width=7)],
    "aligned": [aligned(LENGTH)],
    "wide": [
        WideHeadConfig(length=LENGTH, components=4, kmer=3, half_word=2, window_kmers=(2, 3), place_kmers=(2, 3)),
    ],
    "whole": [
        WideHeadConfig(kmer=2, half_word=2, words_of_both_strands=True, gapped_kmers=((2, 3), (1, 4))),
    ],
    "frames": [WideHeadConfig(kmer=1, frames=True)],
    "ensemble": [aligned(LENGTH), WideHeadConfig(length=LENGTH, components=4, kmer=2)],
}


def loaded(tmp_path, name, **changes):
    module = classifier(*HEADS[name], **changes)
    return dnalm.load(classifier_bundle(tmp_path / name, module).folder)


def every_change(codes):
    rows = np.repeat(codes[None], 4 * len(codes), 0)
    rows[np.arange(len(rows)), np.arange(len(rows)) // 4] = np.arange(len(rows)) % 4
    return rows


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("both", [True, False])
def test_every_change_of_one_base_scores_as_when_it_is_read_anew(tmp_path, name, both):
    model = loaded(tmp_path, name, both_strands=both)
    codes = random_codes(LENGTH, unknown=0.1)
    rows = every_change(codes)
    found = VariantScorer(model, codes, tolerance=-1).logits(rows)
    np.testing.assert_allclose(found, model.logits(rows), atol=2e-5)
    assert np.ptp(found, axis=0).min() > 1e-3  # they are not all alike


@pytest.mark.parametrize("name", HEADS)
def test_any_variant_of_the_same_length_scores_as_when_it_is_read_anew(tmp_path, name):
    model = loaded(tmp_path, name)
    rng = np.random.default_rng(3)

    @settings(max_examples=15, deadline=None)
    @given(st.integers(0, 2**31), st.sampled_from([1, 3, 12, LENGTH]))
    def holds(seed, span):
        codes = random_codes(LENGTH, seed, unknown=0.05)
        rows = np.repeat(codes[None], 6, 0)
        for row in rows[1:]:
            at = rng.integers(0, LENGTH - span + 1)
            row[at : at + span] = random_codes(span, int(rng.integers(2**31)), unknown=0.05)
        found = VariantScorer(model, codes).logits(rows)
        np.testing.assert_allclose(found, model.logits(rows), atol=3e-5)

    holds()


def test_layers_upon_layers_and_long_k_mers(tmp_path, monkeypatch):
    monkeypatch.setattr("dnalm.interpret.strand._LARGEST_TABLE", 0)
    model = loaded(tmp_path, "aligned", layers=3, tied=True, k=5, stride=2)
    codes = random_codes(LENGTH)
    found = VariantScorer(model, codes).logits(every_change(codes))
    np.testing.assert_allclose(found, model.logits(every_change(codes)), atol=2e-5)


def forgetful(encoder):
    """Close the forget gates halfway: what was read ten tokens ago is gone."""
    with torch.no_grad():
        for layer in encoder.layers:
            width = layer.lstm.hidden_size
            layer.lstm.bias_ih_l0[width : 2 * width] = -2.0


def long_model(tmp_path, *, layers=1):
    config = MemberConfig(encoder=tiny_encoder(hidden=6, layers=layers), head=WideHeadConfig(kmer=2), both_strands=True)
    with seeded(1):
        module = SequenceClassifier([config], 2).eval()
        for member in module.members:
            member.head.linear.weight.data.normal_(std=0.5)
    return module


def test_a_variant_whose_states_are_the_sequence_s_again_is_left_there(tmp_path):
    module = long_model(tmp_path)
    forgetful(module.members[0].encoder)
    model = dnalm.load(classifier_bundle(tmp_path / "long", module).folder)
    codes = random_codes(400)
    rows = every_change(codes)[800:840]
    scorer = VariantScorer(model, codes, tolerance=1e-6)
    np.testing.assert_allclose(scorer.logits(rows), model.logits(rows), atol=2e-5)
    exact = VariantScorer(model, codes, tolerance=-1)
    exact.logits(rows)
    assert scorer.steps < exact.steps / 3


@pytest.mark.parametrize("layers", [1, 2])
def test_the_outlook_ends_the_walk_long_before_the_states_agree(tmp_path, monkeypatch, layers):
    monkeypatch.setattr(following, "_WORTH", 0.0)
    module = long_model(tmp_path, layers=layers)
    model = dnalm.load(classifier_bundle(tmp_path / "long", module).folder)
    codes = random_codes(600)
    rows = every_change(codes)
    exact = VariantScorer(model, codes, tolerance=-1)
    wanted = exact.logits(rows)
    scorer = VariantScorer(model, codes, tolerance=1e-6)
    np.testing.assert_allclose(scorer.logits(rows), wanted, atol=5e-5)
    assert scorer.steps < exact.steps / 2
    np.testing.assert_allclose(exact.logits(rows), model.logits(rows), atol=2e-5)


@pytest.mark.parametrize("layers", [1, 2])
def test_the_outlook_is_the_derivative_that_autograd_finds(layers):
    encoder = long_model(None, layers=layers).members[0].encoder.double()
    with torch.no_grad():
        strand = Strand(encoder, torch.from_numpy(random_codes(60))[None])
    tokens, width = len(strand), strand.top.shape[1]
    generator = torch.Generator().manual_seed(0)
    weights = OfStates(None, *(torch.randn(width, 3, generator=generator, dtype=torch.float64) for _ in range(3)))
    with torch.no_grad():
        outlook = Outlook(strand, weights)
    token = 2 * outlook.every - 1
    start = [
        torch.stack([reading.hidden[token], reading.cell[token]]).detach().requires_grad_()
        for reading in strand.readings
    ]
    hidden, cell = [one[0][None] for one in start], [one[1][None] for one in start]
    tops = []
    for one in strand.ids[token + 1 :]:
        into = encoder.embedding(one[None])
        for number, layer in enumerate(encoder.layers):
            into, (h, c) = layer.lstm(into[None], (hidden[number][None], cell[number][None]))
            into, hidden[number], cell[number] = into[0], h[0], c[0]
        tops.append(into[0])
    tops = torch.stack(tops)
    outputs = tops.sum(0) @ weights.mean / tokens + tops[-1] @ weights.last
    highest = tops.amax(0)
    parts = torch.randn(1, 2 * width * layers, generator=generator, dtype=torch.float64)
    of_hidden, of_cell = parts.split(width * layers, 1)
    directions = [
        torch.stack([h[0], c[0]]) for h, c in zip(of_hidden.split(width, 1), of_cell.split(width, 1), strict=True)
    ]
    coming, units = outlook.of(token, parts)
    for found, wanted in ((coming[0], outputs), (units[0], highest)):
        for value, one in zip(found, wanted, strict=True):
            slopes = torch.autograd.grad(one, start, retain_graph=True)
            expected = sum((slope * way).sum() for slope, way in zip(slopes, directions, strict=True))
            assert float(value) == pytest.approx(float(expected), abs=1e-9)


def test_variants_of_another_length_are_refused(tmp_path):
    model = loaded(tmp_path, "pool")
    scorer = VariantScorer(model, random_codes(LENGTH))
    with pytest.raises(InputError, match=r"wanted \(n, 34\)"):
        scorer.logits(np.zeros((2, 33), np.uint8))


def test_the_sequence_itself_and_no_variants_at_all(tmp_path):
    model = loaded(tmp_path, "ensemble")
    codes = random_codes(LENGTH)
    scorer = VariantScorer(model, codes)
    np.testing.assert_allclose(scorer.logits(codes[None])[0], scorer.reference, atol=1e-6)
    assert scorer.logits(np.empty((0, LENGTH), np.uint8)).shape == (0, 2)
