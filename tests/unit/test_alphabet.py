"""The base codes: what each letter reads as, and what survives which direction."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnalm.alphabet import (
    Composition,
    complement,
    composition,
    decode,
    encode,
    encode_bases,
    gc_content,
    reverse_complement,
)

any_codes = st.lists(st.integers(0, 4), max_size=200).map(lambda codes: np.array(codes, dtype=np.uint8))


def test_each_letter_reads_as_its_code():
    assert encode("ACGTacgtUu").tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 3, 3]


def test_what_is_no_base_is_unknown_never_a_substitute():
    assert set(encode("NnRYSWKMBDHV-.*X?1 ").tolist()) == {4}


def test_bytes_and_text_read_alike():
    assert np.array_equal(encode(b"GATTACA"), encode("GATTACA"))


def test_letters_beyond_latin_are_one_unknown_each():
    assert encode("A\u4e2dC").tolist() == [0, 4, 1]


def test_reverse_complement_by_hand():
    assert decode(reverse_complement(encode("AACGTN"))) == "NACGTT"


def test_an_empty_sequence_stays_empty():
    assert decode(encode("")) == ""
    assert reverse_complement(encode("")).shape == (0,)


@given(any_codes)
def test_codes_survive_text(codes: np.ndarray):
    assert np.array_equal(encode(decode(codes)), codes)


@given(any_codes)
def test_the_other_strand_of_the_other_strand_is_the_first(codes: np.ndarray):
    assert np.array_equal(reverse_complement(reverse_complement(codes)), codes)
    assert np.array_equal(complement(codes)[::-1], reverse_complement(codes))


@given(any_codes)
def test_gc_content_is_the_same_on_both_strands(codes: np.ndarray):
    np.testing.assert_equal(gc_content(codes), gc_content(reverse_complement(codes)))


def test_gc_content_counts_known_bases_only():
    assert gc_content(encode("GCATNNNN")) == 0.5
    assert math.isnan(gc_content(encode("NNN")))


def test_composition_counts_each_kind_once():
    assert composition("ACgtNnRy-*E") == Composition(length=11, lower_case=2, n=2, iupac=2, gaps=2, foreign=1)


@given(st.text("ACGTUacgtuNRYn-.*EFZ", max_size=60), st.text("ACGTNacgE-", max_size=60))
def test_compositions_add_up(first: str, second: str):
    assert composition(first) + composition(second) == composition(first + second)


@pytest.mark.parametrize("byte", range(256))
def test_every_byte_has_its_code(byte: int) -> None:
    expected = {letter: code for code, letters in enumerate(("Aa", "Cc", "Gg", "TtUu")) for letter in letters}
    text = b"ACGTacgt" * 3 + bytes([byte])
    assert encode(text).tolist() == [0, 1, 2, 3] * 6 + [expected.get(chr(byte), 4)]


@pytest.mark.parametrize("byte", range(256))
def test_arithmetic_takes_bases_alone(byte: int) -> None:
    codes = encode_bases(np.full(3, byte, dtype=np.uint8))
    place = "ACGT".find(chr(byte).upper()) if byte < 128 else -1
    assert (codes is None) == (place < 0)
    assert codes is None or codes.tolist() == [place] * 3
