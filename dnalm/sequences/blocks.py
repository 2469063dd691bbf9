"""Sequence text to base codes, a block at a time, with what it held counted and foreign letters refused."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dnalm.alphabet import Codes, Composition, composition, encode, encode_bases
from dnalm.errors import InputError

WHITESPACE = b"\n\r \t\v\f"
# X stands for a masked or unknown base (RepeatMasker's and cross_match's habit), '?' for a missing one.
UNKNOWN_LETTERS = b"Xx?"
NOTHING = Composition()
_BASES = b"ACGTUacgtu"
_CODE_TABLE = encode(bytes(range(256))).tobytes()
_AMINO_ACIDS_ONLY = b"EFILPQZJOefilpqzjo"
_SHORT = 1 << 12  # below this, to ask whether all is upper case costs less than to enter numpy
_PROTEIN_SHARE = 0.5
_PROTEIN_LENGTH = 10


class Header(NamedTuple):
    """What a file says of a record before its bases; `line` is 1-based."""

    id: str
    description: str
    circular: bool
    line: int


class Block(NamedTuple):
    """Some bases of a record; `header` is set on its first block (which may hold no base), else None."""

    header: Header | None
    codes: bytes
    composition: Composition


class ForeignLetterError(ValueError):
    """A byte that stands for no nucleotide, at `offset` of the text."""

    def __init__(self, letter: int, offset: int) -> None:
        super().__init__(letter, offset)
        self.letter = letter
        self.offset = offset


def to_codes(text: bytes, skip: bytes = WHITESPACE, *, bare: bytes | None = None) -> tuple[bytes, Composition]:
    """Turn a stretch of a file into codes and count what it held.

    Args:
        text: bytes of a file: letters, and what `skip` names, which is dropped.
        skip: bytes to drop; GenBank adds the digits of its position column.
        bare: the text without its line feeds, where the caller has it.

    Returns:
        one byte a base (0 to 4), and the composition of the letters.

    Raises:
        ForeignLetterError: the text holds a byte that is no nucleotide, IUPAC code, gap, X or '?'.
    """
    if len(text) >= _SHORT:
        letters = as_codes(text.replace(b"\n", b"") if bare is None else bare)
        bases = encode_bases(letters)
        if bases is not None:  # the usual stretch: nothing but bases and line ends
            lower = np.count_nonzero(letters >= ord("a")) if letters.max(initial=0) >= ord("a") else 0
            return bases.tobytes(), Composition(len(bases), int(lower))
    # Two passes of bytes.translate and one comparison are several times faster than numpy masks here.
    codes = text.translate(_CODE_TABLE, skip)
    rare = text.translate(None, _BASES + skip)
    counted = composition(rare) if rare else NOTHING
    if counted.foreign:
        strange = rare.translate(None, UNKNOWN_LETTERS + b"NRYSWKMBDHVnryswkmbdhv-.*")
        if strange:
            raise ForeignLetterError(strange[0], text.index(strange[:1]))
    lower = _count_lower(text) - (_count_lower(rare) if rare else 0)
    return codes, Composition(len(codes), lower, counted.n, counted.iupac, counted.gaps, counted.foreign)


def _count_lower(text: bytes) -> int:
    if len(text) < _SHORT and text.isupper():
        return 0
    return int(np.count_nonzero(np.frombuffer(text, dtype=np.uint8) >= ord("a")))


def as_codes(codes: bytes | bytearray) -> Codes:
    """The bytes as an array of codes, without a copy."""
    return np.frombuffer(codes, dtype=np.uint8)


def foreign_message(letter: int, what: str) -> str:
    """The reason why a letter is refused, for a sentence that starts with where it stands.

    Args:
        letter: the byte.
        what: the text around it, for example `record 'x', line 3`, that the message names first.
    """
    if letter < 32 or letter == 127:
        return f"{what}: there is a byte {letter:#04x} in the sequence; this is not a text file of sequences."
    shown = repr(chr(letter)) if letter < 127 else f"the byte {letter:#04x}"
    if letter in _AMINO_ACIDS_ONLY:
        return f"{what}: {shown} is no nucleotide; this looks like protein, DNA or RNA is wanted."
    if letter == ord(">"):
        return f"{what}: there is a '>' inside the sequence; a header must start its line."
    return f"{what}: {shown} is no nucleotide; letters are A, C, G, T, U, N and the other IUPAC codes."


def refuse_protein(name: str, record: str, line: int, seen: Composition) -> None:
    """Refuse a record that is mostly ambiguity codes, as the peptide MKVRSDWHY is.

    Raises:
        InputError: more than half of ten or more letters are IUPAC codes other than N.
    """
    if seen.length >= _PROTEIN_LENGTH and seen.iupac > _PROTEIN_SHARE * seen.length:
        raise InputError(
            f"{name}, record {record!r}, line {line}: {seen.iupac:,} of {seen.length:,} letters are "
            "ambiguity codes; this looks like protein, DNA or RNA is wanted."
        )
