"""Bits per base of a long text: right length, same answer however it is read."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toy_models import language_model, language_model_bundle, random_codes, uniform_language_model

from dnalm.alphabet import UNKNOWN, encode
from dnalm.errors import InputError
from dnalm.model.predict import LanguageModel
from dnalm.model.scoring import BURN_IN, bits_per_base, token_nats


@pytest.mark.parametrize(("k", "stride"), [(3, 1), (3, 2), (2, 3), (1, 7)])
@pytest.mark.parametrize("length", [20, 523, 2001])
def test_one_figure_a_predicted_token(k, stride, length):
    model = language_model(k=k, stride=stride).eval()
    codes = random_codes(length)
    nats = token_nats(model, codes)
    assert len(nats) == model.tokenizer.count(length) - 1
    with torch.no_grad():
        whole = model(torch.from_numpy(codes[None])).nats[0].numpy()
    np.testing.assert_allclose(nats, whole, atol=1e-5)


def test_lanes_agree_with_one_pass():
    model = language_model(k=3, stride=2, seed=3).eval()
    with torch.no_grad():  # so that the loss depends on what was read
        model.decoder.weight.mul_(10)
    codes = random_codes(BURN_IN * 4 * 5 + 77)  # room for five lanes
    one = token_nats(model, codes, lanes=1)
    many = token_nats(model, codes, lanes=32)
    assert one.shape == many.shape == (model.tokenizer.count(len(codes)) - 1,)
    assert one.std() > 0.1
    np.testing.assert_allclose(many, one, atol=1e-3)


def test_unknown_bases_are_nan_and_left_out():
    model = uniform_language_model(k=3, stride=1)
    codes = encode("ACGTACGTNNACGT")
    nats = token_nats(model, codes)
    assert np.isnan(nats).nonzero()[0].tolist() == [5, 6]  # token 1 adds base 3, so base 8 is entry 5
    assert bits_per_base(model, nats) == pytest.approx(np.full(9, 2.0), abs=1e-6)


def test_progress_ends_at_the_end():
    seen = []
    token_nats(language_model().eval(), random_codes(3000), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1]
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_too_short_a_text_is_refused():
    with pytest.raises(InputError, match=r"a sequence of 4 bases is too short: 5 or more"):
        token_nats(language_model(k=3, stride=2).eval(), random_codes(4))


class TestLoadedModel:
    def test_bits_per_base_of_several_sequences(self, tmp_path):
        model = LanguageModel(language_model_bundle(tmp_path / "lm", uniform_language_model(k=3, stride=2)))
        figure = model.bits_per_base([random_codes(101), random_codes(51)], np.random.default_rng(0))
        assert figure.value == pytest.approx(2, abs=1e-5)
        # 101 bases are 50 tokens, 49 of them predicted; 51 bases 25 and 24. Each adds two bases.
        assert figure.n == 2 * (49 + 24)
        assert figure.low == pytest.approx(2, abs=1e-5) == figure.high

    def test_sequences_without_anything_to_predict_are_refused(self, tmp_path):
        model = LanguageModel(language_model_bundle(tmp_path / "lm"))
        with pytest.raises(InputError, match="no sequence of 5 bases or more"):
            model.bits_per_base([random_codes(4)], np.random.default_rng(0))

    def test_sequences_of_unknown_bases_alone_are_refused(self, tmp_path):
        model = LanguageModel(language_model_bundle(tmp_path / "lm"))
        with pytest.raises(InputError, match="nothing to predict"):
            model.bits_per_base([np.full(50, UNKNOWN, np.uint8)], np.random.default_rng(0))
