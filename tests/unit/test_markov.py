"""Markov models against answers worked out by hand and the entropy of made texts."""

import numpy as np
import pytest

from dnalm.alphabet import decode, encode
from dnalm.errors import InputError
from dnalm.evaluation.markov import bits_per_base, count_words, fit_markov, fit_mixture, words


def test_words_end_at_each_base_and_never_hold_an_unknown_one():
    found = words(encode("ACGTNACG"), 3)
    assert found.tolist() == [-1, -1, 0 * 16 + 1 * 4 + 2, 1 * 16 + 2 * 4 + 3, -1, -1, -1, 6]
    assert words(encode("AC"), 3).tolist() == [-1, -1]


def test_counts_by_hand():
    counts = count_words([encode("AACA")], 1, both_strands=False)
    assert counts[0].tolist() == [1, 1, 0, 0]  # after A: A, C
    assert counts[1].tolist() == [1, 0, 0, 0]  # after C: A
    assert counts.sum() == 3
    both = count_words([encode("AACA")], 1)  # other strand: TGTT
    assert both[3].tolist() == [0, 0, 1, 1] and both[2].tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("order", [0, 1, 3, 5])
def test_counts_equal_a_plain_loop(order):
    codes = np.random.default_rng(1).integers(0, 5, size=400, dtype=np.uint8)
    text = decode(codes)
    counts = count_words([codes], order, both_strands=False)
    for context in range(0, 4**order, 7):
        letters = "".join("ACGT"[(context >> (2 * place)) & 3] for place in reversed(range(order)))
        for base in range(4):
            word = letters + "ACGT"[base]
            assert counts[context, base] == sum(text[i : i + order + 1] == word for i in range(len(text)))


def test_probabilities_by_hand():
    model = fit_markov([encode("AACA")], 1, pseudocount=1.0, both_strands=False)
    # The first base has no context. A after A: (1 + 1) / (2 + 4), C after A the same. N is not scored, and
    # the C after it has no context.
    assert model.probabilities(encode("AACNCA")) == pytest.approx(
        [1 / 4, 2 / 6, 2 / 6, np.nan, 1 / 4, 2 / 5], nan_ok=True
    )
    mixture = fit_mixture([encode("AACA")], 1, strengths=[4.0, 2.0], both_strands=False)
    a = (3 + 4 / 4) / (4 + 4)
    assert mixture.probabilities(encode("AA")) == pytest.approx([a, (1 + 2 * a) / (2 + 2)])


def test_probabilities_of_the_four_bases_sum_to_one():
    train = np.random.default_rng(2).integers(0, 4, size=3000, dtype=np.uint8)
    for model in (fit_markov([train], 3), fit_mixture([train], 4)):
        for context in ("", "A", "CCGT", "GATTA"):
            total = sum(model.probabilities(encode(context + base))[-1] for base in "ACGT")
            assert total == pytest.approx(1.0)


@pytest.mark.parametrize("fit", [fit_markov, fit_mixture])
def test_uniform_text_costs_two_bits(fit):
    codes = np.random.default_rng(3).integers(0, 4, size=400_000, dtype=np.uint8)
    figure = bits_per_base(fit([codes[:300_000]], 4), [codes[300_000:]], np.random.default_rng(0))
    assert figure.value == pytest.approx(2.0, abs=0.003)
    assert figure.low < figure.value < figure.high and figure.n == 100_000


@pytest.mark.parametrize("fit", [fit_markov, fit_mixture])
def test_periodic_text_costs_nothing_once_its_period_is_known(fit):
    codes = np.tile(encode("ACGGT"), 4000)
    model = fit([codes], 4, both_strands=False)
    assert model.bits(codes[:5000])[10:].max() < 0.01


def test_biased_chain_costs_its_entropy():
    """Each base is followed by the next of the cycle nine times in ten: 0.9 log2(1/0.9) + 0.1 log2(3/0.1)."""
    generator = np.random.default_rng(4)
    steps = np.where(generator.random(400_000) < 0.9, 1, generator.integers(2, 5, size=400_000))
    codes = (np.cumsum(steps) % 4).astype(np.uint8)
    entropy = -0.9 * np.log2(0.9) - 0.1 * np.log2(0.1 / 3)
    model = fit_markov([codes[:300_000]], 1, both_strands=False)
    assert np.nanmean(model.bits(codes[300_000:])) == pytest.approx(entropy, abs=0.01)
    assert np.nanmean(fit_markov([codes[:300_000]], 0).bits(codes[300_000:])) == pytest.approx(2.0, abs=0.01)


def test_both_strands_score_alike():
    codes = encode("ACGTTGCAAATTCGCGATATATTGC" * 20)
    model = fit_markov([codes], 0)
    assert model.counts[0, 0] == model.counts[0, 3] and model.counts[0, 1] == model.counts[0, 2]


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="order 13"):
        fit_markov([encode("ACGT")], 13)
    with pytest.raises(InputError, match="known base"):
        fit_mixture([encode("NNNN")], 2)
    with pytest.raises(InputError, match="strengths"):
        fit_mixture([encode("ACGT")], 2, strengths=[1.0])


def test_short_text_still_gives_a_model():
    assert fit_markov([encode("ACG")], 5).probabilities(encode("ACGT")).tolist() == [0.25] * 4
