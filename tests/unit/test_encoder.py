"""The AWD-LSTM encoder, tested by behaviour: weight drop has broken silently before as PyTorch changed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from toy_models import random_codes, tiny_encoder

from dnalm.model.doors import kmer_ids, kmer_probabilities, one_hot, reverse_complement_codes
from dnalm.model.dropout import EmbeddingDropout, VariationalDropout, set_generator
from dnalm.model.encoder import AWDLSTM, WeightDropLSTM
from dnalm.tokenizer import KmerTokenizer
from dnalm.training.seeding import seeded


def encoder(seed=0, **changes) -> AWDLSTM:
    with seeded(seed):
        return AWDLSTM(tiny_encoder(**changes))


def batch(rows=3, length=41, seed=0, unknown=0.0) -> torch.Tensor:
    return torch.from_numpy(random_codes(rows * length, seed, unknown).reshape(rows, length))


def states(model: AWDLSTM, codes: torch.Tensor) -> torch.Tensor:
    return model(model.embed(codes))[0]


DROPOUTS = ["embedding_dropout", "input_dropout", "hidden_dropout", "weight_dropout"]


class TestWeightDrop:
    def test_gradients_reach_the_raw_weights_through_the_kept_ones_alone(self):
        layer = WeightDropLSTM(4, 6, 0.5)
        set_generator(layer, torch.Generator().manual_seed(1))
        layer(torch.randn(2, 9, 4), None)[0].sum().backward()
        gradient = layer.lstm.weight_hh_l0.grad
        dropped = (gradient == 0).float().mean().item()
        # Of 144 weights half are dropped, give or take 4 standard deviations.
        assert 0.33 < dropped < 0.67
        assert layer.lstm.weight_ih_l0.grad.abs().min() > 0

    def test_training_changes_what_the_layer_says(self):
        layer = WeightDropLSTM(4, 6, 0.5).eval()
        x = torch.randn(2, 9, 4)
        before = layer(x, None)[0]
        optimizer = torch.optim.SGD([layer.lstm.weight_hh_l0], lr=1.0)
        layer.train()
        layer(x, None)[0].sum().backward()
        optimizer.step()
        assert not torch.allclose(before, layer.eval()(x, None)[0])

    def test_a_new_mask_each_forward_in_training_and_none_in_evaluation(self):
        model, codes = encoder(weight_dropout=0.5), batch()
        set_generator(model, torch.Generator().manual_seed(0))
        assert not torch.equal(states(model, codes), states(model, codes))
        model.eval()
        assert torch.equal(states(model, codes), states(model, codes))

    def test_evaluation_is_the_plain_layer_with_the_raw_weights(self):
        layer = WeightDropLSTM(4, 6, 0.5).eval()
        plain = nn.LSTM(4, 6, batch_first=True)
        plain.load_state_dict(layer.lstm.state_dict())
        assert sorted(layer.state_dict()) == sorted(f"lstm.{name}" for name in plain.state_dict())
        x = torch.randn(2, 9, 4)
        assert torch.equal(layer(x, None)[0], plain(x)[0])

    def test_one_mask_holds_for_the_whole_text(self):
        """With a single weight, dropped or doubled, each run is one of two known ones."""
        layer = WeightDropLSTM(1, 1, 0.5)
        x, raw = torch.randn(1, 12, 1), layer.lstm.weight_hh_l0.detach().clone()
        set_generator(layer, torch.Generator().manual_seed(0))
        plain = nn.LSTM(1, 1, batch_first=True)
        plain.load_state_dict(layer.lstm.state_dict())
        for _ in range(5):
            mask = torch.empty(4, 1).bernoulli_(0.5, generator=self._peek(layer)) * 2
            with torch.no_grad():
                plain.weight_hh_l0.copy_(raw * mask)
            torch.testing.assert_close(layer(x, None)[0], plain(x)[0])

    @staticmethod
    def _peek(layer: WeightDropLSTM) -> torch.Generator:
        """A generator that stands where the layer's stands."""
        other = torch.Generator()
        other.set_state(layer.drop.generator.get_state())
        return other


class TestOtherDropouts:
    def test_variational_dropout_is_the_same_at_every_position_and_differs_between_sequences(self):
        drop = VariationalDropout(0.5)
        drop.generator = torch.Generator().manual_seed(0)
        out = drop(torch.ones(4, 7, 50))
        assert torch.equal(out, out[:, :1].expand_as(out))
        assert set(out.unique().tolist()) == {0.0, 2.0}
        assert not torch.equal(out[0], out[1])

    def test_embedding_dropout_zeroes_whole_rows(self):
        drop = EmbeddingDropout(0.5)
        drop.generator = torch.Generator().manual_seed(0)
        out = drop(torch.ones(66, 8))
        assert set(out.sum(1).tolist()) == {0.0, 16.0}

    def test_a_dropped_kmer_is_missing_wherever_it_occurs(self):
        model = encoder(embedding_dropout=0.5)
        set_generator(model, torch.Generator().manual_seed(0))
        codes = batch(4, 61)
        embedded, ids = model.embed(codes), kmer_ids(codes, model.tokenizer)
        zero = (embedded == 0).all(-1)
        for kmer in ids.unique():
            assert len(zero[ids == kmer].unique()) == 1
        assert 0.2 < zero.float().mean() < 0.8

    @pytest.mark.parametrize("name", DROPOUTS)
    def test_each_rate_does_something_in_training_and_nothing_in_evaluation(self, name):
        model, plain, codes = encoder(layers=2, **{name: 0.5}), encoder(layers=2), batch()
        set_generator(model, torch.Generator().manual_seed(0))
        assert not torch.allclose(states(model, codes), states(plain, codes))
        assert torch.equal(states(model.eval(), codes), states(plain.eval(), codes))

    def test_the_generator_alone_decides(self):
        model, codes = encoder(layers=2, **dict.fromkeys(DROPOUTS, 0.3)), batch()

        def run(seed, everybodys):
            torch.manual_seed(everybodys)
            set_generator(model, torch.Generator().manual_seed(seed))
            return states(model, codes)

        assert torch.equal(run(7, 1), run(7, 2))
        assert not torch.equal(run(7, 1), run(8, 1))

    def test_making_a_model_leaves_the_global_random_numbers_alone(self):
        torch.manual_seed(3)
        expected = torch.rand(1)
        torch.manual_seed(3)
        first, second = encoder(5), encoder(5)
        assert torch.equal(torch.rand(1), expected)
        assert torch.equal(first.embedding.weight, second.embedding.weight)


@pytest.mark.parametrize(("layers", "tied"), [(1, False), (2, False), (3, True)])
def test_carried_state_equals_one_pass(layers, tied):
    model = encoder(layers=layers, tied=tied).eval()
    codes = batch(2, 3 + 19 * 2)  # 20 tokens
    whole, ended = model(model.embed(codes))
    first, state = model(model.embed(codes[:, : 3 + 7 * 2]))  # tokens 0 to 7
    second, last = model(model.embed(codes[:, 8 * 2 :]), state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole)
    assert whole.shape == (2, 20, 8 if tied else 12)
    for one, other in zip(last, ended, strict=True):
        torch.testing.assert_close(one, other)


def test_layer_groups_hold_every_parameter_once():
    model = encoder(layers=3)
    groups = model.layer_groups()
    assert [len(group) for group in groups] == [1, 4, 4, 4]
    assert {id(p) for group in groups for p in group} == {id(p) for p in model.parameters()}


class TestDoors:
    @settings(max_examples=60, deadline=None)
    @given(
        k=st.integers(1, 4),
        stride=st.integers(1, 5),
        rows=st.lists(st.lists(st.integers(0, 4), min_size=25, max_size=25), min_size=1, max_size=3),
    )
    def test_ids_agree_with_the_tokenizer(self, k, stride, rows):
        codes = np.array(rows, dtype=np.uint8)
        tokenizer = KmerTokenizer(k, stride)
        assert kmer_ids(torch.from_numpy(codes), tokenizer).tolist() == tokenizer.ids(codes).tolist()

    def test_ids_of_a_text_shorter_than_k_are_none(self):
        assert kmer_ids(torch.zeros(2, 2, dtype=torch.uint8), KmerTokenizer(3, 1)).shape == (2, 0)

    @pytest.mark.parametrize("k", [1, 2, 3, 4])
    @pytest.mark.parametrize("stride", [1, 2, 3, 5])
    def test_codes_and_one_hot_give_the_same_embedding_with_n(self, k, stride):
        model, codes = encoder(k=k, stride=stride).eval(), batch(3, 40, unknown=0.1)
        torch.testing.assert_close(model.embed_bases(one_hot(codes)), model.embed(codes), rtol=0, atol=1e-6)

    def test_kmer_probabilities_by_hand(self):
        # A for sure, then half C and half T: AC .5, AT .5, in lexicographic order AA AC AG AT ...
        bases = torch.tensor([[[1.0, 0, 0, 0], [0, 0.5, 0, 0.5]]])
        assert kmer_probabilities(bases, 2, 1)[0, 0].tolist() == [0, 0.5, 0, 0.5] + [0] * 12

    def test_the_gradient_at_the_one_hot_door_reaches_every_base(self):
        model = encoder().eval()
        bases = one_hot(batch(2, 21)).requires_grad_()
        model(model.embed_bases(bases))[0].pow(2).sum().backward()
        assert (bases.grad.abs().sum(-1) > 0).all()

    def test_the_other_strand_keeps_padding_behind(self):
        # ACN with one base of padding, and TTGC.
        codes = torch.tensor([[0, 1, 4, 4], [3, 3, 2, 1]], dtype=torch.uint8)
        turned = reverse_complement_codes(codes, torch.tensor([3, 4]))
        assert turned.tolist() == [[4, 2, 3, 4], [2, 1, 0, 0]]
