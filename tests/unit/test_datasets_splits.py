"""Groups of shared stretches and the splits that keep them whole."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.alphabet import decode, encode, reverse_complement
from dnalm.datasets.splits import (
    folds_of_groups,
    grouped_folds,
    random_folds,
    shared_with,
    stretch_groups,
    train_valid_test,
)
from dnalm.errors import InputError

letters = st.text("ACGTN", min_size=0, max_size=30)


def stretches_by_hand(text: str, length: int) -> set[str]:
    """Every stretch of known bases and its reverse complement, in plain Python."""
    found = set()
    for start in range(len(text) - length + 1):
        stretch = text[start : start + length]
        if "N" not in stretch:
            found |= {stretch, decode(reverse_complement(encode(stretch)))}
    return found


def groups_by_hand(texts: list[str], length: int) -> list[int]:
    """Union by repeated sweeps: slow and plain."""
    group = list(range(len(texts)))
    sets = [stretches_by_hand(text, length) for text in texts]
    for one, other in itertools.combinations(range(len(texts)), 2):
        same = texts[one] in (texts[other], decode(reverse_complement(encode(texts[other]))))
        if sets[one] & sets[other] or same:
            group = [group[one] if number == group[other] else number for number in group]
    first: dict[int, int] = {}
    return [first.setdefault(number, len(first)) for number in group]


@settings(deadline=None, max_examples=150)
@given(st.lists(letters, max_size=12), st.integers(1, 6))
def test_groups_equal_those_found_by_hand(texts, length):
    found = stretch_groups([encode(text) for text in texts], length)
    assert found.tolist() == groups_by_hand(texts, length)


def test_a_stretch_of_20_on_the_other_strand_joins_and_19_does_not():
    rng = np.random.default_rng(1)
    one, two, three = (rng.integers(0, 4, 60, dtype=np.uint8) for _ in range(3))
    two[10:30] = reverse_complement(one[5:25])
    three[10:29] = one[30:49]
    three[29] = (one[49] + 1) % 4
    three[9] = (one[29] + 1) % 4
    assert stretch_groups([one, two, three]).tolist() == [0, 0, 1]


def test_an_n_breaks_a_stretch():
    codes = encode("ACGTTGCAAGGCTATTCCGA")
    masked = codes.copy()
    masked[10] = 4
    assert stretch_groups([codes, masked]).tolist() == [0, 1]
    assert stretch_groups([masked, masked.copy()]).tolist() == [0, 0]


def test_sharing_is_passed_on_and_stretches_do_not_run_from_one_sequence_into_the_next():
    first, second = encode("AAAACCCCGG"), encode("CCCCGGTATA")
    third = encode("TATATCTCTC")
    assert stretch_groups([first, second, third], 4).tolist() == [0, 0, 0]
    assert stretch_groups([encode("AAAAC"), encode("GTAGA"), encode("AACGTA")], 6).tolist() == [0, 1, 2]


def test_31_bases_fit_and_32_are_refused():
    codes = encode("T" * 31)
    assert stretch_groups([codes, encode("A" * 40)], 31).tolist() == [0, 0]
    with pytest.raises(InputError, match="1 to 31"):
        stretch_groups([codes], 32)


def test_shared_with_names_the_sequences_that_share():
    train = [encode("ACGTTGCAAGGCTATTCCGAT")]
    other = reverse_complement(train[0])
    assert shared_with([other, encode("A" * 30), encode("AC")], train).tolist() == [True, False, False]
    assert shared_with([], train).tolist() == []
    assert shared_with(train, []).tolist() == [False]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from("ab")), min_size=12, max_size=80), st.integers(0, 9))
def test_grouped_folds_keep_groups_whole(pairs, seed):
    _, groups = np.unique([group for group, _ in pairs], return_inverse=True)
    labels = np.array([label for _, label in pairs])
    if groups.max() + 1 < 3:
        return
    folds = folds_of_groups(groups, labels, 3, np.random.default_rng(seed))
    assert set(folds) == {0, 1, 2}
    for group in np.unique(groups):
        assert len(set(folds[groups == group])) == 1


def test_grouped_folds_balance_a_rare_label():
    generator = np.random.default_rng(0)
    groups = np.repeat(np.arange(300), generator.integers(1, 6, 300))
    labels = np.where(generator.random(len(groups)) < 0.1, "rare", "common")
    folds = folds_of_groups(groups, labels, 5, generator)
    for label in ("rare", "common"):
        counts = np.bincount(folds[labels == label], minlength=5)
        assert counts.max() - counts.min() <= 2


def test_folds_follow_the_generator():
    codes = [np.random.default_rng(number).integers(0, 4, 40, dtype=np.uint8) for number in range(40)]
    labels = np.arange(40) % 2
    first, again, other = (grouped_folds(codes, labels, 4, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert first.tolist() == again.tolist() != other.tolist()


def test_random_folds_are_stratified_to_one_sequence():
    labels = np.array(["a"] * 23 + ["b"] * 7)
    folds = random_folds(labels, 4, np.random.default_rng(2))
    for label in "ab":
        counts = np.bincount(folds[labels == label], minlength=4)
        assert counts.max() - counts.min() <= 1
    sizes = np.bincount(folds)
    assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize("n_folds", [0, 1, 4])
def test_impossible_folds_are_refused(n_folds):
    with pytest.raises(InputError, match="folds"):
        folds_of_groups(np.array([0, 0, 1, 2]), list("abab"), n_folds, np.random.default_rng(0))


def test_train_valid_test_gives_the_numbers_asked_for_from_singles_only():
    groups = np.concatenate([np.arange(60), np.repeat([60, 61], 10)])
    labels = np.array(["yes", "no"] * 40)
    split = train_valid_test(
        labels, groups, np.random.default_rng(3), valid={"yes": 5, "no": 6}, test={"yes": 7, "no": 8}, singles_only=True
    )
    assert [(split == part).sum() for part in ("train", "valid", "test")] == [54, 11, 15]
    assert ((split == "test") & (labels == "yes")).sum() == 7
    assert set(split[60:]) == {"train"}


def test_forced_sequences_take_their_whole_group_to_test():
    groups = np.array([0, 0, 0, 1, 2, 3, 4, 5, 6, 7])
    forced = np.zeros(10, bool)
    forced[1] = True
    split = train_valid_test(["a", "b"] * 5, groups, np.random.default_rng(0), valid=0.2, test=0.2, force_test=forced)
    assert set(split[:3]) == {"test"}


def test_numbers_that_the_groups_do_not_allow_are_refused():
    groups = np.zeros(10, int)
    groups[5:] = np.arange(1, 6)
    with pytest.raises(InputError, match="the groups of shared stretches allow"):
        train_valid_test(["a"] * 10, groups, np.random.default_rng(0), test={"a": 7}, singles_only=True)
    with pytest.raises(InputError, match="no training sequence left"):
        train_valid_test(["a"] * 4 + ["b"], np.arange(5), np.random.default_rng(0), valid=0.0, test={"b": 1})
