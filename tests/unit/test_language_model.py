"""The language model's loss has a known value where the model knows nothing, and where the text is periodic."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from toy_models import language_model, random_codes, uniform_language_model

from dnalm.alphabet import UNKNOWN, encode
from dnalm.metrics import Figure
from dnalm.tokenizer import KmerTokenizer
from dnalm.training.pretrain import perplexity


def tensor(*texts: str) -> torch.Tensor:
    return torch.from_numpy(np.stack([encode(text) for text in texts]))


@pytest.mark.parametrize(("k", "stride"), [(1, 1), (3, 1), (3, 2), (3, 3), (2, 4), (5, 2)])
def test_a_model_that_knows_nothing_needs_two_bits_a_base(k, stride):
    model = uniform_language_model(k=k, stride=stride)
    scored = model(torch.from_numpy(random_codes(200).reshape(2, 100)))
    assert scored.nats.shape == (2, model.tokenizer.count(100) - 1)
    assert model.bits_per_base(scored.mean().item()) == pytest.approx(2, abs=1e-6)


@pytest.mark.parametrize(("k", "stride"), [(3, 1), (3, 2), (4, 2)])
def test_the_vocabulary_head_also_pays_for_kmers_that_cannot_follow(k, stride):
    model = uniform_language_model("vocabulary", k=k, stride=stride)
    scored = model(torch.from_numpy(random_codes(120)[None]))
    assert model.bits_per_base(scored.mean().item()) == pytest.approx(math.log2(4**k + 2) / stride, abs=1e-6)


def test_targets_are_the_new_bases():
    # 3-mers at stride 2 of ACGTACG: ACG GTA ACG; the new bases are TA = 12 and CG = 6.
    model = language_model(k=3, stride=2)
    assert model.targets(tensor("ACGTACG")).tolist() == [[12, 6]]
    assert language_model("vocabulary", k=3, stride=2).targets(tensor("ACGTACG")).tolist() == [[44, 6]]


@pytest.mark.parametrize(("k", "stride"), [(1, 1), (3, 1), (3, 2), (2, 5), (4, 3)])
def test_targets_agree_with_the_tokenizer(k, stride):
    codes = random_codes(90, unknown=0.1).reshape(2, 45)
    model = language_model(k=k, stride=stride)
    assert model.targets(torch.from_numpy(codes)).tolist() == KmerTokenizer(k, stride).next_ids(codes).tolist()


def test_unknown_bases_are_not_scored():
    model = uniform_language_model(k=3, stride=1)
    codes = tensor("ACGTNACGT")
    scored = model(codes)
    # Tokens 1 to 6 add bases 3 to 8; base 4 is the N.
    assert scored.scored.tolist() == [[True, False, True, True, True, True]]
    assert scored.nats[0, 1] == 0
    assert scored.mean().item() == pytest.approx(math.log(4), abs=1e-6)
    assert model(torch.full((1, 9), UNKNOWN, dtype=torch.uint8)).mean().item() == 0


@pytest.mark.parametrize("head", ["continuation", "vocabulary"])
@pytest.mark.parametrize(("k", "stride"), [(3, 1), (3, 2), (2, 4)])
def test_carried_state_equals_one_pass(head, k, stride):
    """As training reads: each stretch brings the k bases that its last prediction is about."""
    model = language_model(head, k=k, stride=stride, layers=2).eval()
    codes = torch.from_numpy(random_codes(2 * (k + 24 * stride)).reshape(2, -1))
    whole = model(codes)
    pieces, state = [], None
    for first in range(0, 24, 8):
        scored = model(codes[:, first * stride : (first + 8) * stride + k], state)
        pieces.append(scored.nats)
        state = scored.state
    torch.testing.assert_close(torch.cat(pieces, 1), whole.nats)


def test_tied_weights_are_one():
    model = language_model("vocabulary", tied=True)
    assert model.decoder.weight is model.encoder.embedding.weight
    groups = model.layer_groups()
    assert [len(group) for group in groups] == [1, 4, 1]  # the embedding, the layer, the decoder's bias
    loose = language_model("vocabulary")
    assert loose.decoder.weight is not loose.encoder.embedding.weight


@pytest.mark.parametrize("head", ["continuation", "vocabulary"])
def test_a_periodic_text_is_learned_to_nothing(head):
    model = language_model(head, k=2, stride=1, seed=1)
    text = torch.from_numpy(np.tile(encode("ACGGTCA"), 40)[None])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(250):
        loss = model(text).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    # The first few bases cannot be known; past them the text holds no surprise.
    assert model.eval()(text).nats[0, 20:].mean().item() / math.log(2) < 0.02


def test_perplexity_is_two_to_the_bits_of_a_token():
    figure = perplexity(Figure(1.5, 1.0, 2.0, 100), KmerTokenizer(5, 2))
    assert (figure.value, figure.low, figure.high, figure.n) == (8, 4, 16, 100)
    assert perplexity(Figure(2.0, 2.0, 2.0, 1), KmerTokenizer(3, 1)).value == 4
