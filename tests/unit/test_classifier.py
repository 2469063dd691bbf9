"""Classifiers ready to use: both strands, ensembles, calls at the threshold, and lengths that are refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toy_models import aligned, classifier, classifier_bundle, language_model_bundle, random_codes

import dnalm
from dnalm.alphabet import decode, reverse_complement
from dnalm.errors import InputError
from dnalm.model import predict
from dnalm.model.config import PoolHeadConfig, WideHeadConfig
from dnalm.model.predict import Classifier, LanguageModel, softmax
from dnalm.sequences import LabelledSequence, Record

LENGTH = 24
POOL = PoolHeadConfig(width=7)
WIDE = WideHeadConfig(length=LENGTH, components=3, kmer=2)


def windows(n=5, seed=0) -> np.ndarray:
    return random_codes(n * LENGTH, seed, unknown=0.02).reshape(n, LENGTH)


@pytest.mark.parametrize("both_strands", [False, True])
@pytest.mark.parametrize("heads", [[POOL], [aligned(LENGTH)], [WIDE], [aligned(LENGTH), WIDE]])
def test_both_orientations_are_the_window_and_its_reverse_complement(tmp_path, heads, both_strands):
    bundle = classifier_bundle(tmp_path / "toy", classifier(*heads, both_strands=both_strands))
    model, codes = Classifier(bundle), windows()
    ahead, back = model.logits_both_strands(codes)
    np.testing.assert_allclose(ahead, model.logits(codes), atol=1e-6)
    turned = np.stack([reverse_complement(row) for row in codes])
    np.testing.assert_allclose(back, model.logits(turned), atol=1e-6)
    assert not np.allclose(ahead, back)


def test_an_ensemble_averages_log_probabilities():
    module, codes = classifier(aligned(LENGTH), WIDE, POOL), torch.from_numpy(windows())
    lengths = torch.full((5,), LENGTH)
    each = [member(codes, lengths).log_softmax(-1) for member in module.members]
    torch.testing.assert_close(module(codes, lengths), sum(each) / 3)


def test_one_member_gives_its_own_logits():
    module, codes = classifier(POOL), torch.from_numpy(windows())
    lengths = torch.full((5,), LENGTH)
    assert torch.equal(module(codes, lengths), module.members[0](codes, lengths))


@pytest.mark.parametrize("probability", [0.0, 0.69, 0.7, 1.0])
def test_a_call_is_positive_from_the_threshold_up(tmp_path, probability):
    model = Classifier(classifier_bundle(tmp_path / "toy", threshold=0.7))
    call = model.call(np.array([1 - probability, probability]))
    assert call.label == ("promoter" if probability >= 0.7 else "background")
    assert call.probability == probability
    assert call.probabilities == {"background": 1 - probability, "promoter": probability}


def test_the_positive_class_may_come_first(tmp_path):
    model = Classifier(classifier_bundle(tmp_path / "toy", labels=["promoter", "background"], threshold=0.2))
    assert model.call(np.array([0.3, 0.7])).label == "promoter"
    assert model.call(np.array([0.3, 0.7])).probability == 0.3
    assert model.call(np.array([0.1, 0.9])).label == "background"


def test_of_several_classes_the_likeliest_is_called(tmp_path):
    bundle = classifier_bundle(
        tmp_path / "toy", classifier(classes=3), labels=["a", "b", "c"], positive=None, threshold=None
    )
    call = Classifier(bundle).call(np.array([0.2, 0.3, 0.5], dtype=np.float32))
    assert (call.label, call.probability) == ("c", 0.5)


def test_predict_reads_text_records_and_codes_alike(tmp_path):
    model, codes = Classifier(classifier_bundle(tmp_path / "toy")), random_codes(40)
    forms = [decode(codes), decode(codes).lower(), Record("r", codes), LabelledSequence("s", codes, None), codes]
    calls = model.predict(forms)
    assert len({call.probability for call in calls}) == 1
    assert calls[0].probability == pytest.approx(model.probabilities([codes])[0, 1])
    assert sum(calls[0].probabilities.values()) == pytest.approx(1)


def test_nothing_in_nothing_out(tmp_path):
    model = Classifier(classifier_bundle(tmp_path / "toy"))
    assert model.logits([]).shape == (0, 2)
    assert model.predict([]) == []


def test_the_order_and_the_company_of_sequences_do_not_matter(tmp_path, monkeypatch):
    model = Classifier(classifier_bundle(tmp_path / "toy"))
    sequences = [random_codes(length, seed=length) for length in (50, 7, 300, 7, 12, 90)]
    together = model.logits(sequences)
    alone = np.concatenate([model.logits([codes]) for codes in sequences])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    monkeypatch.setattr(predict, "_BATCH_BASES", 100)
    np.testing.assert_allclose(model.logits(sequences), alone, atol=1e-6)


def test_a_batch_holds_no_more_bases_than_it_should_padding_included(tmp_path, monkeypatch):
    monkeypatch.setattr(predict, "_BATCH_BASES", 1000)
    model = Classifier(classifier_bundle(tmp_path / "toy"))
    sequences = [random_codes(10, seed) for seed in range(300)] + [random_codes(400, seed) for seed in range(9)]
    sizes = [codes.shape for _, codes, _ in model._batches(sequences)]
    assert sum(rows for rows, _ in sizes) == 309
    assert max(rows * length for rows, length in sizes) <= 1000
    assert len(sizes) <= 3 + 1 + 5


def test_a_sequence_longer_than_a_batch_is_read_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(predict, "_BATCH_BASES", 100)
    model = Classifier(classifier_bundle(tmp_path / "toy"))
    assert model.logits([random_codes(500), random_codes(20)]).shape == (2, 2)


class TestLengths:
    def test_a_head_that_keeps_positions_reads_one_length(self, tmp_path):
        bundle = classifier_bundle(tmp_path / "toy81", classifier(aligned(LENGTH)), window=LENGTH, anchor=12)
        with pytest.raises(InputError) as caught:
            Classifier(bundle).logits([random_codes(LENGTH), random_codes(30)])
        assert str(caught.value) == (
            f"sequence 2 has 30 bases: toy81 reads sequences of exactly {LENGTH}, with the site at base 13"
        )

    def test_a_sequence_shorter_than_k_is_refused(self, tmp_path):
        model = Classifier(classifier_bundle(tmp_path / "toy", classifier(k=3)))
        with pytest.raises(InputError, match="sequence 1 has 2 bases: toy reads 3 or more"):
            model.predict(["AC"])
        assert len(model.predict(["ACG"])) == 1

    def test_an_ensemble_reads_what_its_strictest_member_reads(self):
        module = classifier(POOL, WIDE)
        assert module.fixed_length == LENGTH
        assert classifier(POOL, WideHeadConfig(components=3)).fixed_length is None
        assert classifier(POOL, k=4).least_length == 4


def test_softmax_of_large_logits():
    assert softmax(np.array([[1000.0, 1000.0]], dtype=np.float32)).tolist() == [[0.5, 0.5]]
    assert softmax(np.array([[0.0, np.log(3)]], dtype=np.float32))[0] == pytest.approx([0.25, 0.75])


def test_load_knows_both_kinds_and_their_places(home, tmp_path):
    classifier_bundle(home / "models" / "toy")
    language_model_bundle(tmp_path / "run" / "bundle")
    assert isinstance(dnalm.load("toy"), Classifier)
    assert isinstance(dnalm.load(tmp_path / "run"), LanguageModel)
    model = dnalm.load(str(home / "models" / "toy"))
    assert model.card == "# A toy\n"
    assert model.metrics == {"test": {"n": 3}}
    assert not any(parameter.requires_grad for parameter in model.module.parameters())
    assert not model.module.training
