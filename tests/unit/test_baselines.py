"""Plain models on made sequences whose rule is known, and on the real promoters with known figures."""

import gzip

import numpy as np
import pytest
import torch

from dnalm.alphabet import encode
from dnalm.datasets.splits import grouped_folds, random_folds
from dnalm.errors import InputError
from dnalm.evaluation import baselines, features
from dnalm.evaluation.fitting import average, average_log_odds, chosen_members, inner_folds
from dnalm.evaluation.folds import run_folds
from dnalm.evaluation.log_odds import markov_log_odds, score_markov, train_pwm, wam_log_odds, wam_table

ALL = sorted(set(baselines.BASELINES) - {"plain_average"})


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def boxes(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random 40-mers; the positive half holds TATAAT at base 20, one base of it changed in half of them."""
    generator = rng(seed)
    codes = generator.integers(0, 4, (n, 40)).astype(np.uint8)
    truth = np.arange(n) % 2 == 0
    box = np.tile(encode("TATAAT"), (n, 1))
    change = np.flatnonzero(generator.random(n) < 0.5)
    box[change, generator.integers(0, 6, len(change))] = generator.integers(0, 4, len(change))
    codes[truth, 20:26] = box[truth]
    return codes, truth


def test_positional_kmers_by_hand():
    found = features.positional_kmers(np.stack([encode("ACGN")]), (1, 2)).toarray()[0]
    assert found.shape == (4 * 4 + 3 * 16,)
    singles, pairs = np.flatnonzero(found[:16]), np.flatnonzero(found[16:])
    assert singles.tolist() == [0, 4 + 1, 8 + 2]  # A at 0, C at 1, G at 2; N is nothing
    assert pairs.tolist() == [0 * 4 + 1, 16 + 1 * 4 + 2]  # AC at 0, CG at 1; GN is nothing


def test_windowed_kmers_see_a_shifted_motif():
    here, shifted, far = (encode("C" * start + "TATA" + "C" * (26 - start)) for start in (10, 12, 22))
    found = features.windowed_kmers(np.stack([here, shifted, far]), (4,)).toarray()
    tata = int(np.dot(encode("TATA"), [64, 16, 4, 1]))
    stretches = found.reshape(3, -1, 256)[:, :, tata]  # centres 0, 5, 10, ... each 4 to either side
    assert np.flatnonzero(stretches[0]).tolist() == [2]
    assert np.flatnonzero(stretches[1]).tolist() == [2, 3]
    assert np.flatnonzero(stretches[2]).tolist() == [4, 5]


def test_kmer_frequencies_by_hand():
    found = features.kmer_frequencies([encode("AAAC"), encode("NN"), encode("g")], (1, 2)).toarray()
    assert found[0, :4] == pytest.approx([np.sqrt(3 / 4), np.sqrt(1 / 4), 0, 0])
    assert found[0, 4:6] == pytest.approx([np.sqrt(2 / 3), np.sqrt(1 / 3)])
    assert found[1].sum() == 0 and found[2, 2] == 1


def test_gc_contents():
    assert features.gc_contents([encode("GGAT"), encode("NNN")]).tolist() == [[0.5], [0.5]]


def test_pwm_by_hand():
    codes = np.stack([encode("A"), encode("A"), encode("C"), encode("G"), encode("T"), encode("A")])
    labels = np.array([True, True, False, False, False, False])
    score = train_pwm(codes, labels, rng())[0]  # pseudocount 1
    # Background (each count + 1): 1/4 each. Positives: A 2 + 1/4, others 1/4, of 3.
    assert score(np.stack([encode("A"), encode("C"), encode("N")])) == pytest.approx(
        [np.log(2.25 / 3 * 4), np.log(0.25 / 3 * 4), 0]
    )


def test_wam_sees_pairs_that_single_bases_do_not():
    generator = rng(1)
    first = generator.integers(0, 4, 400).astype(np.uint8)
    truth = np.arange(400) % 2 == 0
    codes = np.stack([first, np.where(truth, first, (first + 1 + generator.integers(0, 3, 400)) % 4)], axis=1).astype(
        np.uint8
    )
    score = wam_log_odds(wam_table(codes, truth, 1.0), codes).sum(axis=1)
    assert score[truth].min() > score[~truth].max()
    table = wam_table(codes, truth, 1.0)
    assert wam_log_odds(table, np.stack([encode("NN")])).tolist() == [[0, 0]]


def test_markov_log_odds_knows_its_class():
    positive, negative = encode("ACACACACACAC"), encode("AGAGAGAGAGAG")
    table = markov_log_odds([positive, negative], np.array([True, False]), 1, 1.0)
    scores = score_markov(table, 1, [positive, negative, encode("NNNN"), encode("A")])
    assert scores[0] > 0 > scores[1]
    assert scores[2] == scores[3] == 0


@pytest.mark.parametrize(
    "name", ["pwm", "wam", "positional_logistic", "windowed_logistic", "stacked_wam", "one_layer_cnn"]
)
def test_a_planted_box_is_found(name):
    codes, truth = boxes(600)
    test_codes, test_truth = boxes(400, seed=1)
    fitted = baselines.BASELINES[name](codes, truth, rng())
    right = (fitted(test_codes) >= fitted.threshold) == test_truth
    assert right.mean() > 0.95
    assert fitted.out_of_fold.shape == (600,)


@pytest.mark.parametrize("name", ALL)
def test_noise_stays_noise_and_the_seed_decides(name):
    """No rule: out-of-fold probabilities stay near one half, so nothing leaks from the labels."""
    codes = rng(2).integers(0, 4, (200, 30)).astype(np.uint8)
    truth = rng(3).random(200) < 0.5
    fitted = baselines.BASELINES[name](codes, truth, rng(4))
    assert np.corrcoef(fitted.out_of_fold, truth)[0, 1] < 0.3
    chance = fitted(codes)
    assert chance.shape == (200,) and chance.min() >= 0 and chance.max() <= 1
    again = baselines.BASELINES[name](codes, truth, rng(4))
    assert np.array_equal(again(codes), chance) and again.threshold == fitted.threshold


@pytest.mark.parametrize("name", sorted(set(baselines.ANY_LENGTH) - {"length_alone", "longest_orf"}))
def test_lists_of_any_length(name):
    generator = rng(5)
    truth = np.arange(120) % 2 == 0
    codes = [
        generator.choice(
            4, size=generator.integers(30, 90), p=[0.4, 0.1, 0.1, 0.4] if one else [0.1, 0.4, 0.4, 0.1]
        ).astype(np.uint8)
        for one in truth
    ]
    fitted = baselines.BASELINES[name](codes, truth, rng())
    assert ((fitted(codes) >= fitted.threshold) == truth).mean() > 0.95


@pytest.mark.parametrize("name", ["length_alone", "longest_orf"])
def test_length_and_the_longest_reading_frame_tell_what_differs_in_them_alone(name):
    generator = rng(8)
    truth = np.arange(120) % 2 == 0

    def coding(codons: int) -> str:
        return "ATG" + "".join(generator.choice(["GCT", "AAA", "CTG"], codons)) + "TAA"

    if name == "length_alone":
        texts = ["ACGT" * int(generator.integers(10, 15) + 8 * one) for one in truth]
    else:  # of one length all, and the same bases: where the start stands decides
        texts = [coding(40) if one else coding(40).replace("ATG", "GTA") for one in truth]
    codes = [encode(text) for text in texts]
    fitted = baselines.BASELINES[name](codes, truth, rng())
    assert ((fitted(codes) >= fitted.threshold) == truth).mean() > 0.95


@pytest.mark.parametrize("name", sorted(set(ALL) - set(baselines.ANY_LENGTH)))
def test_windows_of_several_lengths_are_refused(name):
    codes = [encode("ACGT" * 8), encode("ACG" * 9)] * 4
    with pytest.raises(InputError, match="one length"):
        baselines.BASELINES[name](codes, np.arange(8) % 2 == 0, rng())


def test_unknown_bases_are_read_as_nothing():
    codes, truth = boxes(200)
    codes[:, 5] = 4
    for name in ALL:
        assert np.isfinite(baselines.BASELINES[name](codes, truth, rng())(codes)).all(), name


def test_inner_folds_keep_shared_stretches_together():
    generator = rng(6)
    originals = generator.integers(0, 4, (40, 60)).astype(np.uint8)
    codes = np.repeat(originals, 3, axis=0)
    fold = inner_folds(codes, np.repeat(np.arange(40) % 2 == 0, 3), generator)
    assert (fold.reshape(40, 3) == fold.reshape(40, 3)[:, :1]).all()
    free = inner_folds(codes, np.repeat(np.arange(40) % 2 == 0, 3), rng(), grouped=False)
    assert not (free.reshape(40, 3) == free.reshape(40, 3)[:, :1]).all()
    with pytest.raises(InputError, match="two sequences of each class"):
        inner_folds(codes[:3], np.array([True, False, False]), generator)


def test_cnn_leaves_the_global_generator_alone():
    codes, truth = boxes(60)
    before = torch.random.get_rng_state()
    baselines.BASELINES["one_layer_cnn"](codes, truth, rng())
    assert torch.equal(before, torch.random.get_rng_state())


def test_average_of_log_odds():
    assert average_log_odds([np.array([0.5, 0.9]), np.array([0.5, 0.1])]) == pytest.approx([0.5, 0.5])


def test_selection_takes_the_good_and_leaves_the_useless():
    truth = rng(7).random(500) < 0.5
    good = [np.clip(0.5 + 0.25 * (truth - 0.5) + 0.2 * rng(seed).normal(size=500), 0.01, 0.99) for seed in (8, 9)]
    members = chosen_members([rng(10).random(500), *good], truth)
    assert set(members) == {1, 2}
    assert chosen_members([truth * 0.98 + 0.01], truth) == [0]


def test_average_uses_its_own_threshold():
    codes, truth = boxes(200)
    fitted = average([baselines.BASELINES[name] for name in ("pwm", "positional_logistic")])(codes, truth, rng())
    assert ((fitted(codes) >= fitted.threshold) == truth).mean() > 0.9


def read_fasta(path):
    records = gzip.decompress(path.read_bytes()).decode().split(">")[1:]
    return [encode("".join(record.split("\n")[1:])) for record in records]


@pytest.fixture(scope="module")
def ecoli(mirror):
    """The 81 bp sigma-70 set: codes, truth."""
    promoters = read_fasta(mirror / "promoters/Ecoli_prom.fa.gz")
    others = read_fasta(mirror / "promoters/Ecoli_non_prom.fa.gz")
    assert len(promoters) == 839 and len(others) == 3000
    return np.stack(promoters + others), np.arange(3839) < 839


def figure(name, codes, truth, fold, of, *, grouped=True):
    found = run_folds(name, baselines.baselines(grouped=grouped)[name], codes, truth, fold)
    return found.metrics(rng(), resamples=0)[of].value


def test_known_figures_of_the_ecoli_promoters(ecoli):
    """GC alone reaches AUROC .906 there, and a weight matrix .94."""
    codes, truth = ecoli
    fold = grouped_folds(list(codes), truth, 5, rng())
    assert figure("gc_alone", codes, truth, fold, "auroc") == pytest.approx(0.906, abs=0.002)
    assert figure("pwm", codes, truth, fold, "auroc") == pytest.approx(0.94, abs=0.01)


def test_random_folds_of_the_ecoli_promoters_reward_memory(ecoli):
    """A known trap: counting words of 10 bases beats the published networks, until neighbours are kept apart."""
    codes, truth = ecoli
    shuffled = random_folds(truth, 5, rng())
    apart = grouped_folds(list(codes), truth, 5, rng())
    assert figure("markov", codes, truth, shuffled, "mcc", grouped=False) > 0.84
    assert figure("markov", codes, truth, apart, "mcc") < 0.76
