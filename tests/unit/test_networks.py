"""dnalm's classifier as a fit: learns a planted motif, sees only its training part, gives the same twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dnalm.alphabet import encode
from dnalm.errors import InputError
from dnalm.evaluation import networks
from dnalm.evaluation.folds import run_folds
from dnalm.evaluation.networks import NetworkFit
from dnalm.evaluation.results.models import fit_of
from dnalm.metrics import binary_metrics
from dnalm.model.bundle import write_bundle
from dnalm.model.config import BundleConfig, EncoderConfig
from dnalm.model.language_model import AWDLanguageModel
from dnalm.training.examples import Examples
from dnalm.training.finetune import load_language_model, sequence_bits

N, LENGTH = 120, 30


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model of eight units, with the weights that it starts with."""
    folder = tmp_path_factory.mktemp("models") / "tiny-lm"
    encoder = EncoderConfig(k=3, stride=2, embedding=8, hidden=8, layers=1)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = AWDLanguageModel(encoder.with_dropout(0), "continuation")
    config = BundleConfig(kind="language-model", name="tiny-lm", encoder=model.config, lm_head="continuation")
    write_bundle(folder, config, model, {}, "tiny")
    return folder


@pytest.fixture
def planted() -> tuple[np.ndarray, np.ndarray]:
    """Random sequences; the positive ones have TATAAT at base 12."""
    generator = np.random.default_rng(5)
    codes = generator.integers(4, size=(N, LENGTH)).astype(np.uint8)
    labels = np.arange(N) % 3 == 0
    codes[labels, 12:18] = encode("TATAAT")
    return codes, labels


def _mcc(truth: np.ndarray, probability: np.ndarray, threshold: float | np.ndarray) -> float:
    generator = np.random.default_rng(0)
    return binary_metrics(truth, probability, threshold=threshold, generator=generator, resamples=0)["mcc"].value


def test_learns_a_planted_motif_over_folds(tiny: Path, planted: tuple[np.ndarray, np.ndarray]) -> None:
    codes, labels = planted
    found = run_folds("tiny+wide", NetworkFit(str(tiny), "wide"), codes, labels, np.arange(N) % 2, seed=3)
    assert _mcc(found.truth, found.probability, found.threshold) > 0.9


SHORT = {"epochs_frozen": 0, "epochs": 1}


def test_every_training_sequence_is_spoken_of_unseen(tiny: Path, planted: tuple[np.ndarray, np.ndarray]) -> None:
    codes, labels = planted
    wide = NetworkFit(str(tiny), "wide")(codes, labels, np.random.default_rng(1))
    assert np.isfinite(wide.out_of_fold).all()
    assert 0 < wide.threshold < 1
    once = NetworkFit(str(tiny), "aligned", rotations=1, options=SHORT)(codes, labels, np.random.default_rng(1))
    # One of four inner folds, of 120 sequences that share no 20-mer: 30.
    assert np.isfinite(once.out_of_fold).sum() == N // 4


def test_the_wide_head_speaks_of_what_its_inner_fit_had_not_seen(tiny: Path) -> None:
    generator = np.random.default_rng(4)
    codes = generator.integers(4, size=(N, LENGTH)).astype(np.uint8)  # nothing to learn: by heart is all there is
    labels = generator.random(N) < 0.5
    fitted = NetworkFit(str(tiny), "wide")(codes, labels, np.random.default_rng(1))
    assert abs(_mcc(labels, fitted.out_of_fold, 0.5)) < 0.4


def test_validation_parts_are_not_trained_on(
    tiny: Path, planted: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    codes, labels = planted
    seen = []
    real = networks.MemberTraining.fit

    def watched(training, head, train, valid):
        seen.append(({row.tobytes() for row in train.sequences}, {row.tobytes() for row in valid.sequences}))
        return real(training, head, train, valid)

    monkeypatch.setattr(networks.MemberTraining, "fit", watched)
    NetworkFit(str(tiny), "aligned", options=SHORT)(codes, labels, np.random.default_rng(1))
    assert len(seen) == networks.INNER_FOLDS
    everything = {row.tobytes() for row in codes}
    assert all(not train & valid and train | valid == everything for train, valid in seen)
    assert set.union(*(valid for _, valid in seen)) == everything


def test_the_same_generator_gives_the_same_fit(tiny: Path, planted: tuple[np.ndarray, np.ndarray]) -> None:
    codes, labels = planted
    fits = [NetworkFit(str(tiny), "wide")(codes, labels, np.random.default_rng(7)) for _ in range(2)]
    assert np.array_equal(fits[0](codes), fits[1](codes))
    assert fits[0].threshold == fits[1].threshold


@pytest.mark.parametrize("model", [None, "tiny"])
def test_an_ensemble_takes_the_heads_that_inner_folds_prefer(
    model: str | None, tiny: Path, planted: tuple[np.ndarray, np.ndarray]
) -> None:
    codes, labels = planted
    fit = NetworkFit(None if model is None else str(tiny), "ensemble", rotations=1, options=SHORT)
    chance = fit(codes, labels, np.random.default_rng(2))(codes)
    assert chance.shape == (N,)
    assert ((chance >= 0) & (chance <= 1)).all()


def test_six_labels_are_enough_to_fit(tiny: Path, planted: tuple[np.ndarray, np.ndarray]) -> None:
    codes, labels = planted
    rows = np.concatenate([np.flatnonzero(labels)[:3], np.flatnonzero(~labels)[:3]])
    chance = NetworkFit(str(tiny), "wide")(codes[rows], labels[rows], np.random.default_rng(2))(codes)
    assert np.isfinite(chance).all()


def test_what_decides_a_result_changes_its_description(tiny: Path) -> None:
    told = NetworkFit(str(tiny), "wide").describe(LENGTH)
    assert told == NetworkFit(str(tiny), "wide").describe(LENGTH)
    assert told["weights"] != NetworkFit(None, "wide").describe(LENGTH)["weights"]
    assert told != NetworkFit(str(tiny), "wide", rotations=1).describe(LENGTH)
    assert told != NetworkFit(str(tiny), "wide", options={"label_smoothing": 0.1}).describe(LENGTH)


def test_a_fine_tuned_start_reads_its_training_sequences_before(tiny: Path) -> None:
    # A text that can be learnt: ACGT over and over, from a place of its own in each sequence.
    codes = [np.roll(np.tile(np.arange(4, dtype=np.uint8), 10), number) for number in range(N)]
    labels = np.arange(N) % 2 == 0
    fit = NetworkFit(str(tiny), "wide", tune_epochs=3)
    fold = np.arange(N) % 4
    start = fit._tuned(Examples(codes, labels.astype(np.int64)), fold, seed=1)
    _, model = load_language_model(str(tiny), 0.0)
    before = sequence_bits(model, codes)[0].sum()
    model.encoder.load_state_dict(start.weights)
    assert sequence_bits(model, codes)[0].sum() < before  # the encoder alone predicts better, under the head as it was
    one, two = (fit(codes, labels, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(one(codes), two(codes))
    assert not np.array_equal(one(codes), NetworkFit(str(tiny), "wide")(codes, labels, np.random.default_rng(7))(codes))
    assert "finetune" in fit.describe(LENGTH)
    assert "finetune" not in NetworkFit(str(tiny), "wide").describe(LENGTH)
    named = fit_of("tiny-lm+finetuned+wide", {"tiny-lm": tiny}, grouped=True, training=N, anchor=None)
    assert isinstance(named, NetworkFit)
    assert named.tune_epochs > 0


def test_an_encoder_that_read_nothing_cannot_be_fine_tuned(planted: tuple[np.ndarray, np.ndarray]) -> None:
    codes, labels = planted
    with pytest.raises(InputError, match="no language model that could be fine-tuned"):
        NetworkFit(None, "wide", tune_epochs=1)(codes, labels, np.random.default_rng(0))
