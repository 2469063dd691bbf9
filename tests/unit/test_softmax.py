"""Several classes: the same fit as another implementation, kept in the head as it was found."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from test_wide import member, promoters

from dnalm.model.config import WideHeadConfig
from dnalm.training import softmax, wide
from dnalm.training.blocks import Block
from dnalm.training.softmax import PENALTIES, choose_softmax, fit_softmax
from dnalm.training.unfreezing import log_loss, member_logits
from dnalm.training.valley import descend
from dnalm.training.wide import fit_wide

HEAD = WideHeadConfig(components=4, kmer=2, half_word=2, words_of_both_strands=True)


def made_up(n: int = 150, size: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    features = (rng.random((n, size)) < 0.4).astype(np.float32)
    truth = (features @ rng.normal(size=(size, 3)) * 2 + rng.normal(size=(n, 3))).argmax(1)
    return features, truth, rng.uniform(0.5, 2, n).astype(np.float32)


@pytest.mark.parametrize("penalty", [0.01, 1.0])
@pytest.mark.parametrize("sparse", [False, True])
def test_weights_agree_with_scikit_learn(penalty: float, sparse: bool) -> None:
    features, truth, weights = made_up()
    block = Block.sparse(csr_array(features), 1.0) if sparse else Block.dense(torch.from_numpy(features.copy()), 1.0)
    found = fit_softmax({"all": block}, truth, weights, 3, penalty, steps=2000)
    scaled = block.scale * (features - features.mean(0))
    with_bias = np.hstack([scaled, np.ones((len(scaled), 1))])  # as a feature, so that it bears the penalty too
    other = LogisticRegression(C=1 / penalty, fit_intercept=False, tol=1e-10, max_iter=5000)
    other.fit(with_bias, truth, sample_weight=weights)
    ours = found.logits({"all": block})
    np.testing.assert_allclose(
        np.diff(ours, axis=1), np.diff(other.decision_function(with_bias), axis=1), atol=0.02 / penalty**0.5 / 10
    )


def test_sparse_and_dense_blocks_are_one_thing() -> None:
    features, _, weights = made_up()
    dense = Block.dense(torch.from_numpy(features.copy()), 1.0)
    sparse = Block.sparse(csr_array(features), 1.0)
    w = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    np.testing.assert_allclose(dense.logits(w), sparse.logits(w), atol=1e-5)
    residuals = np.stack([weights] * 3, 1)
    np.testing.assert_allclose(dense.back(residuals), sparse.back(residuals), rtol=1e-3, atol=1e-3)
    rows = np.array([3, 1, 7])
    np.testing.assert_allclose(dense.take(rows).logits(w), sparse.logits(w)[rows], atol=1e-5)


def test_rare_words_weigh_more_and_a_word_that_all_hold_nearly_nothing() -> None:
    features = csr_array(np.array([[1, 1, 0], [1, 0, 0], [1, 0, 0], [1, 0, 1]], dtype=np.float32))
    block = Block.rare(features, 1.0)
    assert block.factors is not None
    np.testing.assert_allclose(block.factors.numpy(), np.log([5 / 4.5, 5 / 1.5, 5 / 1.5]), rtol=1e-6)
    np.testing.assert_allclose(block.features.toarray()[0], [np.log(5 / 4.5), np.log(5 / 1.5), 0], rtol=1e-6)


def test_what_the_head_says_is_what_the_fit_says_of_the_same_sequences() -> None:
    one = member(HEAD, classes=3)
    sequences, targets = promoters(60, classes=3)
    blocks, fitted = {}, wide.fit_softmax

    def keep(found, *told):
        blocks["logits"] = (fit := fitted(found, *told)).logits(found)
        return fit

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wide, "fit_softmax", keep)
        fit_wide(one, sequences, targets, np.arange(60) // 3 % 3, np.random.default_rng(0))
    np.testing.assert_allclose(member_logits(one, sequences), blocks["logits"], atol=2e-3)


def test_the_head_says_what_the_fit_found_and_tells_three_classes_apart() -> None:
    one = member(HEAD, classes=3)
    sequences, targets = promoters(150, classes=3)
    told: list[tuple[str, int, int]] = []
    result = fit_wide(
        one,
        sequences,
        targets,
        np.arange(150) // 3 % 3,
        np.random.default_rng(0),
        progress=lambda *said: told.append(said),
    )
    assert result.logits is None
    assert result.penalty in PENALTIES
    assert next(what for what, *_ in told) == "sequences"
    assert told[-1] == ("fits", 1, 1)
    tested, truth = promoters(60, classes=3, seed=9)
    assert (member_logits(one, tested).argmax(1) == truth).mean() > 0.9


def test_the_same_seed_gives_the_same_head() -> None:
    sequences, targets = promoters(60, classes=3)
    weights = []
    for _ in range(2):
        one = member(HEAD, classes=3)
        fit_wide(one, sequences, targets, np.arange(60) // 3 % 3, np.random.default_rng(3))
        weights.append(one.head.linear.weight.detach().clone())
    assert torch.equal(*weights)


def test_the_search_wants_a_block_that_tells_and_not_one_that_does_not() -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(240) % 3
    noise = torch.from_numpy(rng.normal(size=(240, 200)).astype(np.float32))
    words = csr_array(np.eye(3, dtype=np.float32)[truth])
    blocks = {"pools": Block.dense(noise, 1.0), "words": Block.sparse(words, 1.0)}
    told = (truth, rng.integers(0, 3, 240), np.ones(240, np.float32), 3)
    shares, _ = choose_softmax(blocks, *told, np.random.default_rng(0))
    assert shares["model"] < 0.3 < shares["words"]


def test_the_search_goes_down_to_the_lowest_place_and_tries_none_twice() -> None:
    tried = []

    def loss(place: dict[str, float]) -> float:
        tried.append(tuple(place.values()))
        return (place["x"] - 4) ** 2 + (place["y"] - 2) ** 2 + place["x"] * place["y"] / 10

    found = descend({"x": (1, 2, 3, 4, 5), "y": (1, 2, 3)}, {"x": 1, "y": 3}, loss)
    assert found == {"x": 4, "y": 2}
    assert len(tried) == len(set(tried))


def test_a_word_counts_on_either_strand() -> None:
    from test_heads import blocks

    forward = blocks("TATAATN", kmer=0, half_word=2, words_of_both_strands=True)["words"]
    reverse = blocks("NATTATA", kmer=0, half_word=2, words_of_both_strands=True)["words"]
    assert torch.equal(forward, reverse)
    assert forward.sum() == 5  # TATA, which is its own complement, ATAA and TTAT, TAAT and ATTA


def test_the_penalty_is_chosen_on_all_sequences_where_the_search_takes_some(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def fit(blocks: dict, truth: np.ndarray, *rest: object, **more: object) -> softmax.Softmax:
        sizes.append(len(truth))
        return fit_softmax(blocks, truth, *rest, **more)

    n, generator = 400, np.random.default_rng(1)
    truth = np.arange(n) % 4
    noisy = np.eye(4, dtype=np.float32)[truth] + generator.normal(0, 1, (n, 4)).astype(np.float32)
    blocks = {"kmers": Block.dense(torch.from_numpy(noisy), 1.0)}
    folds, weights = np.arange(n) // 4 % 4, np.ones(n, np.float32)
    monkeypatch.setattr(softmax, "fit_softmax", fit)
    monkeypatch.setattr(softmax, "MOST_SEARCHED", 100)
    shares, penalty = choose_softmax(blocks, truth, folds, weights, 4, np.random.default_rng(0))
    assert shares == {}
    searched, all_of_them = [size for size in sizes if size < 100], [size for size in sizes if size == 300]
    assert searched and len(all_of_them) >= 2
    assert sizes == searched + all_of_them

    def loss(at: float) -> float:
        inside, outside = folds != 0, folds == 0
        seen, unseen = ({"kmers": blocks["kmers"].take(np.flatnonzero(part))} for part in (inside, outside))
        found = fit_softmax(seen, truth[inside], weights[inside], 4, at, steps=softmax.SEARCHING_STEPS)
        return log_loss(found.logits(unseen).astype(np.float64), truth[outside])

    assert penalty == min(PENALTIES, key=loss)
