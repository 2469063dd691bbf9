from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnalm.alphabet import decode, encode, reverse_complement
from dnalm.errors import InputError
from dnalm.tokenizer import KmerTokenizer

ks = st.integers(1, 8)
strides = st.integers(1, 10)
dna = st.text(alphabet="ACGT", max_size=200)
dna_n = st.text(alphabet="ACGTN", max_size=200)


def naive(text: str, k: int, stride: int) -> list[int]:
    """The ancestor's way: slices and a dictionary."""
    words = KmerTokenizer(k, stride).vocabulary()
    index = {word: i for i, word in enumerate(words)}
    return [index.get(text[i : i + k], index["<unk>"]) for i in range(0, len(text) - k + 1, stride)]


def test_lexicographic_order_and_specials() -> None:
    tokenizer = KmerTokenizer(2, 1)
    assert tokenizer.ids(encode("AAACAGATCA")).tolist() == [0, 0, 1, 4, 2, 8, 3, 13, 4]
    assert (tokenizer.pad_id, tokenizer.unk_id, tokenizer.vocabulary_size) == (16, 17, 18)
    assert tokenizer.token(13) == "TC"
    assert tokenizer.vocabulary()[13] == "TC"


@given(dna_n, ks, strides)
def test_agrees_with_slices_and_a_dictionary(text: str, k: int, stride: int) -> None:
    if k > 5:
        text, k = text[:40], 5
    assert KmerTokenizer(k, stride).ids(encode(text)).tolist() == naive(text, k, stride)


@pytest.mark.parametrize("k", range(1, 9))
def test_every_k_against_base_four_arithmetic(k: int) -> None:
    codes = np.random.default_rng(k).integers(0, 4, 70_000).astype(np.uint8)
    powers = 4 ** np.arange(k - 1, -1, -1)
    expected = np.lib.stride_tricks.sliding_window_view(codes, k) @ powers
    for stride in (1, 2, 3):
        assert np.array_equal(KmerTokenizer(k, stride).ids(codes), expected[::stride])


@pytest.mark.parametrize("k", range(1, 9))
@pytest.mark.parametrize("start", [0, 1])  # an odd address in memory, too
def test_stride_two_over_several_rows(k: int, start: int) -> None:
    codes = np.random.default_rng(k).integers(0, 5, (3, 101 + start)).astype(np.uint8)[:, start:]
    ids = KmerTokenizer(k, 2).ids(codes)
    assert np.array_equal(ids, [KmerTokenizer(k, 1).ids(row)[::2] for row in codes])


@given(dna, ks, strides)
def test_round_trip(text: str, k: int, stride: int) -> None:
    tokenizer = KmerTokenizer(k, stride)
    codes = encode(text)
    back = tokenizer.decode(tokenizer.ids(codes))
    covered = np.zeros(tokenizer.bases(tokenizer.count(len(codes))), bool)
    for start, end in tokenizer.spans(len(codes)):
        covered[start:end] = True
    assert len(back) == len(covered)
    assert np.array_equal(back[covered], codes[: len(back)][covered])
    assert (back[~covered] == 4).all()


@given(dna, ks)
def test_strand_symmetry(text: str, k: int) -> None:
    tokenizer = KmerTokenizer(k, 1)
    codes = encode(text)
    there = tokenizer.ids(codes)
    other = tokenizer.ids(reverse_complement(codes))
    assert [decode(tokenizer.decode([t])) for t in there] == [
        decode(reverse_complement(tokenizer.decode([t]))) for t in other[::-1]
    ]


@given(dna_n, ks, strides)
def test_an_n_spoils_exactly_the_kmers_that_hold_it(text: str, k: int, stride: int) -> None:
    tokenizer = KmerTokenizer(k, stride)
    codes = encode(text)
    ids = tokenizer.ids(codes)
    for token, (start, end) in zip(ids, tokenizer.spans(len(codes)), strict=True):
        assert (token == tokenizer.unk_id) == ("N" in text[start:end])


@given(dna_n, ks, strides)
def test_next_ids_are_the_new_bases_of_the_next_token(text: str, k: int, stride: int) -> None:
    tokenizer = KmerTokenizer(k, stride)
    new = tokenizer.new_bases
    got = tokenizer.next_ids(encode(text))
    spans = tokenizer.spans(len(text))[1:]
    assert len(got) == len(spans)
    for number, (_, end) in zip(got, spans, strict=True):
        fresh = text[end - new : end]
        assert number == (-1 if "N" in fresh else KmerTokenizer(new, 1).ids(encode(fresh))[0])


def test_shorter_than_k_has_no_tokens() -> None:
    tokenizer = KmerTokenizer(5, 2)
    assert tokenizer.ids(encode("ACGT")).shape == (0,)
    assert tokenizer.spans(4).shape == (0, 2)
    assert tokenizer.next_ids(encode("ACGTAC")).shape == (0,)


def test_batches_tokenize_row_by_row() -> None:
    rows = np.random.default_rng(0).integers(0, 5, (7, 81)).astype(np.uint8)
    tokenizer = KmerTokenizer(5, 2)
    assert np.array_equal(tokenizer.ids(rows), np.stack([tokenizer.ids(row) for row in rows]))


@pytest.mark.parametrize(("k", "stride"), [(0, 1), (9, 1), (3, 0)])
def test_out_of_bounds(k: int, stride: int) -> None:
    with pytest.raises(InputError):
        KmerTokenizer(k, stride)


def test_no_such_token() -> None:
    with pytest.raises(InputError, match="token 99"):
        KmerTokenizer(2, 1).token(99)
