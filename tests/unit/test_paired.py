"""Folds and paired differences, with models whose answers are known."""

import numpy as np
import pytest

from dnalm.errors import InputError
from dnalm.evaluation.bench.curves import brier
from dnalm.evaluation.fitting import Fitted
from dnalm.evaluation.folds import OutOfFold, run_folds, run_seeds
from dnalm.evaluation.paired import mcnemar
from dnalm.evaluation.results.intervals import mean_figures
from dnalm.metrics import Figure


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def run(truth, probability, name="model", seed=0, threshold=0.5):
    n = len(truth)
    return OutOfFold(
        name,
        seed,
        np.zeros(n, int),
        np.asarray(truth, bool),
        np.asarray(probability, float),
        np.full(n, threshold),
        (0.0,),
    )


TRUTH = rng().random(300) < 0.4
# The first base says the label; the rest is noise.
SEQUENCES = np.concatenate([np.where(TRUTH, 2, 0)[:, None], rng(1).integers(0, 4, (300, 9))], axis=1).astype(np.uint8)
FOLD = np.arange(300) % 5


def first_base(sequences, labels, generator):
    """Learns which first base means positive."""
    bases = np.array([codes[0] for codes in sequences])
    share = np.array([labels[bases == base].mean() if (bases == base).any() else 0.5 for base in range(4)])
    return lambda wanted: share[[codes[0] for codes in wanted]]


def test_each_sequence_is_predicted_by_a_model_that_had_not_seen_it():
    seen = []

    def remember(sequences, labels, generator):
        known = {codes.tobytes() for codes in sequences}
        seen.append(len(sequences))
        return Fitted(lambda wanted: np.array([float(codes.tobytes() in known) for codes in wanted]), 0.5, np.zeros(0))

    found = run_folds("memory", remember, SEQUENCES, TRUTH, FOLD)
    assert seen == [240] * 5
    assert found.probability.max() == 0
    assert len(found.seconds) == 5


def test_what_is_learnable_is_learned_and_the_threshold_found():
    done = []
    found = run_folds("first base", first_base, SEQUENCES, TRUTH, FOLD, progress=lambda *at: done.append(at))
    assert found.metrics(rng(), resamples=50)["mcc"].value == 1
    assert found.by_fold("accuracy").tolist() == [1] * 5
    assert done[-1] == (5, 5)
    as_list = run_folds("first base", first_base, list(SEQUENCES), TRUTH, FOLD)
    assert np.array_equal(as_list.probability, found.probability)


def test_threshold_never_sees_the_test_fold():
    """Test labels are turned about: a threshold chosen with them would differ."""
    noise = lambda sequences, labels, generator: lambda wanted: np.array([codes.mean() / 3 for codes in wanted])  # noqa: E731
    plain = run_folds("mean", noise, SEQUENCES, TRUTH, FOLD)
    turned = np.where(FOLD == 0, ~TRUTH, TRUTH)
    other = run_folds("mean", noise, SEQUENCES, turned, FOLD)
    assert plain.threshold[FOLD == 0].tolist() == other.threshold[FOLD == 0].tolist()


def test_seed_and_fold_decide_the_draws():
    def random_fit(sequences, labels, generator):
        value = generator.random()
        return Fitted(lambda wanted: np.full(len(wanted), value), 0.5, np.zeros(0))

    first, second = run_seeds("random", random_fit, SEQUENCES, TRUTH, {0: FOLD, 1: FOLD})
    again = run_folds("random", random_fit, SEQUENCES, TRUTH, FOLD, seed=1)
    assert np.array_equal(second.probability, again.probability)
    assert not np.array_equal(first.probability, second.probability)
    assert len(np.unique(second.probability)) == 5


def test_folds_refuse_what_does_not_fit():
    with pytest.raises(InputError, match="300 sequences, 299 labels"):
        run_folds("x", first_base, SEQUENCES, TRUTH[1:], FOLD)
    with pytest.raises(InputError, match="without fold 0"):
        run_folds("x", first_base, SEQUENCES[:4], [False, True, True, True], [0, 1, 1, 1])


def difference(first: OutOfFold, second: OutOfFold, figure: str = "mcc") -> Figure:
    """Of one seed of each."""
    return mean_figures([first], minus=[second], figures=(figure,), generator=rng())[figure]


def test_a_model_does_not_differ_from_itself():
    probability = rng(2).random(300)
    found = difference(run(TRUTH, probability), run(TRUTH, probability), "auroc")
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_difference_is_that_of_the_figures_and_its_sign_turns():
    good = run(TRUTH, np.where(rng(3).random(300) < 0.95, TRUTH, ~TRUTH))
    poor = run(TRUTH, np.where(rng(4).random(300) < 0.7, TRUTH, ~TRUTH))
    found = difference(good, poor, "mcc")
    figures = [model.metrics(rng(), resamples=0)["mcc"].value for model in (good, poor)]
    assert found.value == pytest.approx(figures[0] - figures[1])
    assert 0 < found.low < found.value < found.high
    turned = difference(poor, good, "mcc")
    assert turned.value == -found.value and turned.high < 0


def test_pairing_narrows_the_interval():
    """Two models that are wrong on the same sequences but for one: the difference is nearly certain."""
    wrong = rng(5).random(300) < 0.2
    first = np.where(wrong, ~TRUTH, TRUTH)
    second = first.copy()
    second[np.flatnonzero(~wrong)[:12]] ^= True
    found = difference(run(TRUTH, first), run(TRUTH, second), "accuracy")
    single = run(TRUTH, first).metrics(rng())["accuracy"]
    assert found.value == pytest.approx(12 / 300)
    assert found.low > 0
    assert found.high - found.low < 0.6 * (single.high - single.low)


def test_several_seeds_give_the_mean_of_their_differences():
    first = [run(TRUTH, np.where(rng(seed).random(300) < 0.9, TRUTH, ~TRUTH), seed=seed) for seed in range(3)]
    second = [run(TRUTH, np.where(rng(seed + 9).random(300) < 0.8, TRUTH, ~TRUTH), seed=seed) for seed in range(3)]
    singles = [difference(one, other).value for one, other in zip(first, second, strict=True)]
    found = mean_figures(first, minus=second, figures=("mcc",), generator=rng())["mcc"]
    assert found.value == pytest.approx(np.mean(singles))
    with pytest.raises(InputError, match="as many of both"):
        mean_figures(first, minus=second[:2], generator=rng())
    with pytest.raises(InputError, match="same sequences"):
        difference(first[0], run(~TRUTH, first[0].probability))


def test_mcnemar_by_hand():
    truth = np.ones(10, bool)
    first = run(truth, [1, 1, 1, 1, 1, 1, 0, 0, 0, 0])
    second = run(truth, [0, 0, 0, 0, 0, 1, 0, 0, 0, 0])
    found = mcnemar(first, second)
    assert (found.first_only, found.second_only) == (5, 0)
    assert found.p == pytest.approx(2 / 2**5)
    assert mcnemar(first, first).p == 1


def test_the_brier_score_by_hand():
    found = brier([run([True, False], [0.5, 0.1]), run([True, False], [1.0, 0.5], seed=1)], None)
    assert found is not None
    assert found.value == pytest.approx(((0.25 + 0.01) / 2 + 0.25 / 2) / 2)
