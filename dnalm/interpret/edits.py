"""Changes as people write them: `-12T>A` counted from a start site, `45T>A` from the first base, or a VCF file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dnalm.alphabet import UNKNOWN, Codes, decode, encode
from dnalm.errors import InputError
from dnalm.sequences.opening import open_text

_EDIT = re.compile(r"([+−-]?)([0-9]{1,9})([ACGTUNacgtun]+|-)>([ACGTUacgtu]+|-)")
_BASES = re.compile(r"[ACGTacgt]+")
LONGEST = 1000  # bases of an allele


@dataclass(frozen=True, order=True)
class Edit:
    """Bases replaced by others.

    Attributes:
        position: of the first base replaced, 0-based in the sequence; before which is inserted where `ref` is empty.
        ref: the bases that are there; empty for an insertion.
        alt: those that come; empty for a deletion.
    """

    position: int
    ref: str
    alt: str

    def __post_init__(self) -> None:
        if self.position < 0 or self.ref == self.alt or max(len(self.ref), len(self.alt)) > LONGEST:
            raise InputError(
                f"{self.ref or '-'}>{self.alt or '-'} at base {self.position + 1} is no change: positions start at 1,"
                f" the two differ, and have {LONGEST} bases at most"
            )

    def written(self, anchor: int | None = None) -> str:
        """As people write it: from a site at `anchor`, which is +1, or from the first base, which is 1."""
        return f"{numbered(self.position, anchor)}{self.ref or '-'}>{self.alt or '-'}"


def numbered(position: int, anchor: int | None) -> str:
    """The field's number of a base: +1 at the site, -1 before it, no zero; without a site from 1."""
    if anchor is None:
        return str(position + 1)
    return f"+{position - anchor + 1}" if position >= anchor else str(position - anchor)


def parse_edit(text: str, anchor: int | None = None) -> Edit:
    """Read `-12T>A`, `+3AC>A`, `45T>A`; `-` stands for nothing: `-12T>-` deletes, `-12->T` inserts before it.

    Args:
        text: the edit.
        anchor: 0-based offset of the site that signed positions count from.

    Raises:
        InputError: it is none, or counts from a site where there is none.
    """
    match = _EDIT.fullmatch(text.strip())
    if match is None:
        raise InputError(f"{text!r} is no change; wanted: -12T>A from the start site, or 45T>A from the first base")
    sign, number, ref, alt = match[1].replace("−", "-"), int(match[2]), match[3], match[4]
    if sign and anchor is None:
        raise InputError(f"{text!r} counts from a start site, which this sequence has not; wanted: 45T>A")
    if number == 0:
        raise InputError(f"{text!r}: there is no base 0; +1 is the site, -1 the base before it")
    position = number - 1 if not sign else (anchor or 0) + (number - 1 if sign == "+" else -number)
    if position < 0:
        raise InputError(f"{text!r} lies before the sequence's first base")
    return Edit(position, *("" if one == "-" else one.upper().replace("U", "T") for one in (ref, alt)))


def parse_edits(text: str, anchor: int | None = None) -> list[Edit]:
    """Edits with commas, semicolons or spaces between; see `parse_edit`."""
    return [parse_edit(one, anchor) for one in re.split(r"[,;\s]+", text.strip()) if one]


def apply_edits(codes: Codes, edits: Sequence[Edit], anchor: int | None = None) -> Codes:
    """The sequence with all edits, whose positions are those of the sequence as it is given.

    Args:
        codes: base codes, shape `(length,)`.
        edits: in any order.
        anchor: the site that messages count from.

    Raises:
        InputError: what an edit replaces is not there, or two touch the same base.
    """
    pieces, at = [], 0
    for edit in sorted(edits):
        end = edit.position + len(edit.ref)
        if edit.position < at:
            raise InputError(f"{edit.written(anchor)}: another change touches this base too")
        if end > len(codes) or edit.position > len(codes):
            raise InputError(f"{edit.written(anchor)} lies beyond the sequence's last base, {len(codes):,}")
        there = decode(codes[edit.position : end])
        if there != edit.ref:
            here = numbered(edit.position, anchor)
            raise InputError(f"{edit.written(anchor)}: base {here} is {there}, not {edit.ref}")
        pieces += [codes[at : edit.position], encode(edit.alt)]
        at = end
    return np.concatenate([*pieces, codes[at:]])


def refit(codes: Codes, length: int, anchor: int, moved: int) -> Codes:
    """Bring a sequence back to a length with its site at an offset; unknown bases fill what is missing.

    Args:
        codes: the changed sequence.
        length: wanted.
        anchor: offset of the site that is wanted, and was there before the change.
        moved: bases that the change put in before the site, less those it took away there.
    """
    out = np.full(length, UNKNOWN, dtype=np.uint8)
    site = anchor + moved
    first, last = max(0, site - anchor), min(len(codes), site + length - anchor)
    out[anchor - (site - first) : anchor + (last - site)] = codes[first:last]
    return out


def edited(codes: Codes, edits: Sequence[Edit], *, length: int | None, anchor: int | None) -> Codes:
    """The sequence with edits as a model reads it: `refit` where the model reads one `length` alone."""
    changed = apply_edits(codes, edits, anchor)
    if length is None or len(changed) == length:
        return changed
    site = 0 if anchor is None else anchor
    moved = sum(len(edit.alt) - len(edit.ref) for edit in edits if edit.position + len(edit.ref) <= site)
    return refit(changed, length, site, moved)


def deletions(codes: Codes, size: int) -> list[Edit]:
    """Each stretch of `size` bases taken out."""
    text = decode(codes)
    return [Edit(at, text[at : at + size], "") for at in range(len(text) - size + 1)]


def insertions(codes: Codes, inserted: str) -> list[Edit]:
    """Some bases put in before each base."""
    return [Edit(at, "", inserted) for at in range(len(codes))]


@dataclass(frozen=True)
class VcfEdit:
    """One alternative allele of a VCF file: on which record, its id (`.` where it has none), and the edit."""

    record: str
    id: str
    edit: Edit


def read_vcf(path: str) -> Iterator[VcfEdit]:
    """The alternative alleles of a VCF file, of its first five columns; symbolic ones are refused.

    Positions are of the record, 0-based here.

    Raises:
        InputError: a line that is not VCF, with its number.
    """
    with open_text(path) as stream:
        yield from _rows(stream, str(stream.name))


def vcf_edits(text: str, name: str = "the text") -> list[VcfEdit]:
    """The same of text that is here already."""
    return list(_rows((line.encode() for line in text.splitlines()), name))


def _rows(lines: Iterable[bytes], name: str) -> Iterator[VcfEdit]:
    for number, raw in enumerate(lines, 1):
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if not line.strip() or line.startswith("#"):
            continue
        where = f"{name}, line {number}"
        columns = line.split("\t") if "\t" in line else line.split()
        if len(columns) < 5:
            raise InputError(f"{where}: {len(columns)} columns; VCF has CHROM, POS, ID, REF, ALT and more")
        record, position, identifier, ref, alternatives = columns[:5]
        if not re.fullmatch(r"[0-9]{1,12}", position) or int(position) < 1:
            raise InputError(f"{where}: POS is {position!r}; wanted: a position from 1")
        for alt in alternatives.split(","):
            if not (_BASES.fullmatch(ref) and _BASES.fullmatch(alt)):
                raise InputError(f"{where}: {ref}>{alt}; REF and ALT are wanted as bases A, C, G, T")
            yield VcfEdit(record, identifier, Edit(int(position) - 1, ref.upper(), alt.upper()))
