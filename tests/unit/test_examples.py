"""Labelled sequences in batches: what is read when is a function of the seed and the step alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_models import random_codes

from dnalm.alphabet import reverse_complement
from dnalm.errors import InputError
from dnalm.training.examples import Batches, Examples, inner_folds, limit, split_validation


def examples(*counts: int, length: int | None = 20) -> Examples:
    """So many of each class; with no length, all lengths from 5 up."""
    targets = np.repeat(np.arange(len(counts)), counts)
    sizes = [length or 5 + n % 40 for n in range(len(targets))]
    return Examples([random_codes(size, seed=n) for n, size in enumerate(sizes)], targets)


class TestBatches:
    @settings(max_examples=60, deadline=None)
    @given(n=st.integers(2, 70), size=st.integers(2, 20), seed=st.integers(0, 9), mixed=st.booleans())
    def test_an_epoch_reads_every_example_once_in_even_batches(self, n, size, seed, mixed):
        batches = Batches(examples(n, length=None if mixed else 20), size, seed)
        rows = [batches.rows(step) for step in range(batches.per_epoch)]
        assert sorted(np.concatenate(rows).tolist()) == list(range(n))
        sizes = [len(one) for one in rows]
        assert max(sizes) - min(sizes) <= 1
        assert max(sizes) < 2 * size

    def test_the_order_is_a_function_of_seed_and_step(self):
        data = examples(20, 20)
        one, same, other = Batches(data, 8, 3), Batches(data, 8, 3), Batches(data, 8, 4)
        assert all(np.array_equal(one.rows(step), same.rows(step)) for step in (0, 7, 23))
        assert not np.array_equal(one.rows(0), other.rows(0))
        assert not np.array_equal(one.rows(0), one.rows(one.per_epoch))  # the next epoch

    def test_batches_of_mixed_lengths_hold_like_lengths(self):
        data = examples(400, length=None)
        lengths = np.array([len(codes) for codes in data.sequences])
        batches = Batches(data, 20, 0)
        widths = [np.ptp(lengths[batches.rows(step)]) for step in range(batches.per_epoch)]
        assert np.mean(widths) < 5 < np.ptp(lengths)

    def test_a_batch_brings_codes_lengths_and_targets(self):
        data = examples(3, 3, length=None)
        codes, lengths, targets = Batches(data, 6, 0)(0)
        for row, length, target in zip(codes, lengths, targets, strict=True):
            match = [n for n, one in enumerate(data.sequences) if np.array_equal(one, row[:length].numpy())]
            assert data.targets[match[0]] == target
            assert (row[length:] == 4).all()

    @pytest.mark.parametrize("turn", [False, True])
    def test_processes_share_what_one_would_read(self, turn):
        batches = Batches(examples(11, 10), 10, 5, turn)
        whole = batches(1)
        for rank in range(3):
            for mine, all_of_it in zip(batches(1, rank, 3), whole, strict=True):
                assert torch.equal(mine, all_of_it[rank::3])

    def test_a_batch_too_small_to_share_is_refused(self):
        with pytest.raises(InputError, match="cannot be shared out among 4 processes"):
            Batches(examples(3), 3, 0)(0, 3, 4)

    def test_turning_reads_either_strand(self):
        data = examples(40)
        batches = Batches(data, 40, 0, turn=True)
        rows, codes = batches.rows(0), batches(0)[0].numpy()
        forward = sum(np.array_equal(data.sequences[r], c) for r, c in zip(rows, codes, strict=True))
        turned = sum(np.array_equal(reverse_complement(data.sequences[r]), c) for r, c in zip(rows, codes, strict=True))
        assert forward + turned == 40
        assert 8 < forward < 32


class TestLimit:
    @pytest.mark.parametrize(
        ("counts", "wanted", "expected"),
        [
            ((80, 20), 10, [8, 2]),
            ((98, 2), 10, [9, 1]),
            ((99, 1), 2, [1, 1]),
            ((50, 30, 20), 7, [4, 2, 1]),
            ((5, 7), 12, [5, 7]),
        ],
    )
    def test_classes_keep_their_shares_and_each_is_there(self, counts, wanted, expected):
        chosen = limit(examples(*counts), wanted, np.random.default_rng(0))
        assert np.bincount(chosen.targets).tolist() == expected

    @settings(max_examples=80, deadline=None)
    @given(counts=st.lists(st.integers(1, 30), min_size=2, max_size=4), data=st.data())
    def test_the_number_is_what_was_asked_for(self, counts, data):
        targets = np.repeat(np.arange(len(counts)), counts)
        several = Examples([np.zeros(3, np.uint8)] * len(targets), targets)
        wanted = data.draw(st.integers(len(counts), len(targets)))
        chosen = limit(several, wanted, np.random.default_rng(1))
        assert len(chosen) == wanted
        assert len(np.unique(chosen.targets)) == len(counts)

    @pytest.mark.parametrize("wanted", [1, 13])
    def test_a_number_that_cannot_be_is_refused(self, wanted):
        with pytest.raises(InputError, match=f"{wanted} training sequences are asked for; between 2 and 12 can be"):
            limit(examples(5, 7), wanted, np.random.default_rng(0))


class TestFolds:
    def test_sequences_that_share_a_stretch_stay_together(self):
        data = examples(20, 20, length=30)
        twins = Examples(data.sequences + [codes[3:] for codes in data.sequences], np.tile(data.targets, 2))
        folds = inner_folds(twins, np.random.default_rng(0))
        assert np.array_equal(folds[:40], folds[40:])
        assert set(folds) == {0, 1, 2}
        for fold in range(3):
            assert abs((twins.targets[folds == fold] == 1).mean() - 0.5) < 0.1

    def test_a_rare_class_is_in_every_fold(self):
        folds = inner_folds(examples(30, 2), np.random.default_rng(0))
        assert sorted(folds[30:]) == [0, 1]

    def test_a_class_of_one_is_refused(self):
        with pytest.raises(InputError, match="a class has a single training sequence"):
            inner_folds(examples(30, 1), np.random.default_rng(0))

    def test_a_validation_part_of_one_in_eight(self):
        train, valid = split_validation(examples(80, 80), np.random.default_rng(0))
        assert (len(train), len(valid)) == (140, 20)
        assert np.bincount(valid.targets).tolist() == [10, 10]


class TestCheck:
    def test_what_is_too_short_is_named(self):
        with pytest.raises(InputError, match="training sequence 2 has 4 bases; 5 or more are wanted"):
            Examples([random_codes(5), random_codes(4)], np.array([0, 1])).check(5)

    def test_a_single_class_is_refused(self):
        with pytest.raises(InputError, match="all of one class"):
            examples(5).check(3)

    def test_one_length(self):
        assert examples(3).one_length == 20
        assert examples(3, length=None).one_length is None
