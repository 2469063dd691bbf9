"""The wide head's fit: the same answer as another implementation, on features whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from toy_models import random_codes, tiny_encoder

from dnalm.alphabet import encode
from dnalm.model.classifier import Member
from dnalm.model.config import MemberConfig, WideHeadConfig
from dnalm.model.predict import rows_by_length
from dnalm.training import dual, wide
from dnalm.training.dual import PENALTIES, SHARES, newton
from dnalm.training.members import head_configs
from dnalm.training.seeding import seeded
from dnalm.training.unfreezing import member_logits
from dnalm.training.wide import fit_wide

LENGTH = 24
CONFIG = WideHeadConfig(length=LENGTH, components=4, kmer=2, window_kmers=(2,))


def member(head=CONFIG, classes=2) -> Member:
    with seeded(0):
        return Member(MemberConfig(encoder=tiny_encoder(), head=head), classes).eval()


def promoters(n=90, classes=2, seed=0, length=LENGTH) -> tuple[list[np.ndarray], np.ndarray]:
    """Class 1 has TATAAT at base 8, class 2 GCGCGC; class 0 nothing."""
    targets = np.arange(n) % classes
    sequences = [random_codes(length, seed=seed * 1000 + number) for number in range(n)]
    for codes, target in zip(sequences, targets, strict=True):
        if target:
            codes[8:14] = encode(("TATAAT", "GCGCGC")[target - 1])
    return sequences, targets


def fit(one: Member, sequences, targets, **choices):
    folds = np.arange(len(targets)) // max(2, len(np.unique(targets))) % 3
    return fit_wide(one, sequences, targets, folds, np.random.default_rng(0), **choices)


@pytest.mark.parametrize("start", [None, "far"])
@pytest.mark.parametrize("penalty", [0.003, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_newton_agrees_with_scikit_learn_wherever_it_starts(penalty, weighted, start):
    rng = np.random.default_rng(1)
    features = rng.normal(size=(60, 8))
    truth = (features[:, 0] + rng.normal(size=60) > 0).astype(int)
    weights = rng.uniform(0.5, 2, 60) if weighted else np.ones(60)
    far = None if start is None else torch.from_numpy(rng.normal(size=60))
    dual = newton(*map(torch.from_numpy, (features @ features.T, truth.astype(float), weights)), penalty, far)
    other = LogisticRegression(C=1 / penalty, fit_intercept=False, tol=1e-10, max_iter=1000)
    other.fit(features, truth, sample_weight=weights)
    np.testing.assert_allclose(dual.numpy() @ features, other.coef_[0], atol=1e-3)


@pytest.mark.parametrize(
    "head", [CONFIG, WideHeadConfig(kmer=3), CONFIG.model_copy(update={"half_word": 2, "place_kmers": (2,)})]
)
def test_the_linear_layer_says_what_the_fit_says(head, monkeypatch):
    """The layer that is written back, read through the model, gives the logits of the fit in the dual."""
    one, (sequences, targets) = member(head), promoters()
    seen = {}
    solve = wide.solve

    def keep(kernel, *rest):
        seen["logits"] = kernel @ (dual := solve(kernel, *rest))
        return dual

    monkeypatch.setattr(wide, "solve", keep)
    fit(one, sequences, targets)
    np.testing.assert_allclose(member_logits(one, sequences), seen["logits"].numpy(), atol=2e-3)


def test_a_planted_box_is_found():
    one, (sequences, targets) = member(), promoters()
    result = fit(one, sequences, targets)
    assert result.penalty in PENALTIES
    assert result.shares["model"] in SHARES["model"]
    assert (result.logits.argmax(1) == targets).mean() > 0.85  # out of fold
    fresh, truth = promoters(seed=1)
    assert (member_logits(one, fresh).argmax(1) == truth).mean() > 0.85


def related(n: int, folds_apart: bool) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Pairs that share 16 bases at differing places, and their class, which nothing else tells; and the folds."""
    shared = [random_codes(16, seed=9000 + pair) for pair in range(n // 2)]
    sequences = [random_codes(LENGTH, seed=number) for number in range(n)]
    for number, codes in enumerate(sequences):
        at = number % 8
        codes[at : at + 16] = shared[number // 2]
    pairs = np.arange(n) // 2
    return sequences, pairs // 2 % 2, (np.arange(n) % 2 if folds_apart else pairs // 4 % 2)


@pytest.mark.parametrize("folds_apart", [False, True])
def test_words_tell_of_kin_and_folds_that_keep_kin_together_see_that_this_is_all_they_tell(folds_apart):
    sequences, targets, folds = related(160, folds_apart)
    one = member(CONFIG.model_copy(update={"half_word": 3}))
    result = fit_wide(one, sequences, targets, folds, np.random.default_rng(0))
    right = (result.logits.argmax(1) == targets).mean()
    assert right > 0.9 if folds_apart else right < 0.65
    assert result.shares["words"] in SHARES["words"]
    if folds_apart:
        assert result.shares["words"] >= 1


def test_a_signal_in_one_place_makes_places_count():
    """CATG at base 11 or two bases on: a window of five places cannot tell the two, k-mers in place do."""
    sequences = [random_codes(LENGTH, seed=number) for number in range(60)]
    targets = np.arange(60) % 2
    for codes, target in zip(sequences, targets, strict=True):
        at = 11 + 2 * target
        codes[at : at + 4] = encode("CATG")
    one = member(CONFIG.model_copy(update={"place_kmers": (2, 3), "window": 9, "window_step": 9}))
    result = fit(one, sequences, targets)
    assert result.shares["places"] > 0
    assert (result.logits.argmax(1) == targets).mean() > 0.9


def test_long_windows_are_looked_at_less_closely():
    (short,), (long,) = head_configs("wide", 500), head_configs("wide", 1000)
    assert (short.window, short.window_step) == (5, 2)
    assert (long.window, long.window_step) == (17, 8)
    assert long.length == 1000


def test_several_classes():
    one, (sequences, targets) = member(classes=3), promoters(150, classes=3)
    fit(one, sequences, targets)
    fresh, truth = promoters(60, classes=3, seed=1)
    assert (member_logits(one, fresh).argmax(1) == truth).mean() > 0.8


def test_a_class_without_training_sequences_is_not_called():
    one, (sequences, targets) = member(classes=3), promoters()
    fit(one, sequences, targets)
    assert (member_logits(one, sequences).argmax(1) < 2).all()


def test_class_weights_move_the_calls_towards_the_rare_class():
    sequences, targets = promoters(160)
    rare = np.flatnonzero((targets == 0) | (np.arange(160) % 16 == 1))
    sequences, targets = [sequences[row] for row in rare], targets[rare]
    means = []
    for balanced in (False, True):
        one = member()
        fit(one, sequences, targets, class_weights=balanced)
        logits = member_logits(one, promoters(seed=1)[0])
        means.append(float((logits[:, 1] - logits[:, 0]).mean()))
    assert means[1] > means[0]


def test_the_encoder_stays_and_the_fit_is_the_same_each_time():
    first, second, (sequences, targets) = member(), member(), promoters()
    before = {name: tensor.clone() for name, tensor in first.encoder.state_dict().items()}
    fit(first, sequences, targets)
    fit(second, sequences, targets)
    for name, tensor in before.items():
        assert torch.equal(first.encoder.state_dict()[name], tensor)
    for name, tensor in first.state_dict().items():
        assert torch.equal(second.state_dict()[name], tensor)


def test_principal_components_are_orthonormal_and_hold_the_most_variance():
    one, (sequences, targets) = member(WideHeadConfig(length=LENGTH, components=3, kmer=0)), promoters()
    fit(one, sequences, targets)
    kept = one.head.components
    torch.testing.assert_close(kept.T @ kept, torch.eye(3), atol=1e-5, rtol=0)
    lengths = torch.full((len(sequences),), LENGTH)
    encoding = one.encode(torch.from_numpy(np.stack(sequences)), lengths)
    states = torch.cat([encoding.states, encoding.other]).flatten(0, 1).detach()
    torch.testing.assert_close(one.head.centre, states.mean(0), atol=1e-5, rtol=0)
    variances = torch.linalg.svdvals(states - states.mean(0))[:3].square() / len(states)
    torch.testing.assert_close(((states - states.mean(0)) @ kept).var(0, correction=0), variances, atol=1e-5, rtol=1e-4)


def test_of_very_many_sequences_some_are_drawn(monkeypatch):
    monkeypatch.setattr(wide, "MOST_SEQUENCES", 50)
    result = fit(member(), *promoters())
    assert len(result.rows) == 50 == len(np.unique(result.rows))
    assert result.logits.shape == (50, 2)


def test_of_many_sequences_some_are_searched_on_and_all_are_told_of(monkeypatch):
    whole = fit(one := member(), *promoters())
    monkeypatch.setattr(dual, "MOST_SEARCHED", 60)
    result = fit(other := member(), *promoters())
    assert len(result.rows) == len(whole.rows) == 90
    assert (result.logits != 0).any(1).all()
    fresh, truth = promoters(seed=1)
    for fitted in (one, other):
        assert (member_logits(fitted, fresh).argmax(1) == truth).mean() > 0.85


def test_progress_ends_at_the_end():
    seen = []
    fit(member(), *promoters(), progress=lambda *told: seen.append(told))
    assert [told for told in seen if told[0] == "sequences"][-1] == ("sequences", 90, 90)
    fits = [told for told in seen if told[0] == "fits"]
    assert all(done < total for _, done, total in fits[:-1])
    assert fits[-1] == ("fits", 1, 1)


def test_sequences_of_many_lengths_are_read_by_length_and_answered_in_their_order(monkeypatch):
    generator = np.random.default_rng(5)
    sequences = [random_codes(int(length), seed=n) for n, length in enumerate(generator.integers(20, 400, 40))]
    targets = np.arange(40) % 2
    head = WideHeadConfig(kmer=2, half_word=2, frames=True)
    one, other = member(head), member(head)
    fit(one, sequences, targets)
    monkeypatch.setattr(wide, "_BATCH", 1)
    fit(other, sequences, targets)
    assert torch.allclose(one.head.linear.weight, other.head.linear.weight, atol=1e-4)
    together = member_logits(one, sequences)
    alone = np.concatenate([member_logits(one, [codes]) for codes in sequences])
    np.testing.assert_allclose(together, alone, atol=1e-4)


@pytest.mark.parametrize(("most_bases", "most_rows"), [(100, None), (1000, 3), (5, None)])
def test_batches_by_length_hold_each_row_once_and_no_more_bases_than_asked_for(most_bases, most_rows):
    lengths = np.random.default_rng(6).integers(1, 60, 50)
    batches = list(rows_by_length(lengths, most_bases, most_rows))
    assert sorted(np.concatenate(batches)) == list(range(50))
    for rows in batches:
        assert len(rows) == 1 or len(rows) * lengths[rows].max() <= most_bases
        assert most_rows is None or len(rows) <= most_rows
    same = list(rows_by_length(np.full(7, 10), 30))
    assert np.concatenate(same).tolist() == list(range(7))
