"""Tokenizing, and a FASTA file to token ids, beside the ancestor's way: slices, a list comprehension, a dictionary.

The ancestor's expressions are those of Genomic-ULMFiT's GenomicTokenizer and GenomicVocab. They slice twice; the rows
"one slice a k-mer" compare with the same idea written tighter.
"""

from __future__ import annotations

import gzip
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from Bio import SeqIO

from benchmarks.table import Row
from benchmarks.timing import Timings, take_turns
from dnalm.alphabet import decode, encode
from dnalm.sequences import read_records
from dnalm.tokenizer import KmerTokenizer

BASES = 5_000_000
LINE = 80
TOKENIZER = KmerTokenizer(5, 2)
_ROUNDS = 7


def ancestor_ids(text: str, index: dict[str, int], k: int, stride: int) -> list[int]:
    """The ancestor's way."""
    text = text.upper()
    tokens = [text[i : i + k] for i in range(0, len(text), stride) if len(text[i : i + k]) == k]
    return [index[token] for token in tokens]


def one_slice_ids(text: str, index: dict[str, int], k: int, stride: int) -> list[int]:
    """The same with one slice a k-mer."""
    tokens = [text[i : i + k] for i in range(0, len(text) - k + 1, stride)]
    return [index[token] for token in tokens]


def measure() -> list[Row]:
    """All rows, on made sequence of 5 million bases in one record."""
    codes = np.random.default_rng(0).integers(0, 4, BASES).astype(np.uint8)
    text = decode(codes)
    index = defaultdict(int, {word: number for number, word in enumerate(TOKENIZER.vocabulary())})
    k, stride = TOKENIZER.k, TOKENIZER.stride
    assert (
        TOKENIZER.ids(codes).tolist() == ancestor_ids(text, index, k, stride) == one_slice_ids(text, index, k, stride)
    )
    works: dict[str, Callable[[], object]] = {
        "dnalm": lambda: TOKENIZER.ids(codes),
        "dnalm from text": lambda: TOKENIZER.ids(encode(text)),
        "ancestor": lambda: ancestor_ids(text, index, k, stride),
        "one slice": lambda: one_slice_ids(text, index, k, stride),
    }
    rows = tokenizing_rows(take_turns(works, rounds=_ROUNDS))
    with tempfile.TemporaryDirectory() as folder:
        plain, packed = Path(folder) / "made.fna", Path(folder) / "made.fna.gz"
        lines = "\n".join(text[i : i + LINE] for i in range(0, BASES, LINE))
        body = f">made\n{lines}\n".encode()
        plain.write_bytes(body)
        packed.write_bytes(gzip.compress(body, 6))
        for kind, path, aim in (("plain", plain, 100.0), ("gzip", packed, 60.0)):
            rows += file_rows(kind, take_turns(_file_works(path, index), rounds=_ROUNDS), aim)
    return rows


def _file_works(path: Path, index: dict[str, int]) -> dict[str, Callable[[], object]]:
    k, stride = TOKENIZER.k, TOKENIZER.stride

    def ours() -> object:
        return [TOKENIZER.ids(record.codes) for record in read_records(path)]

    def theirs(way: Callable[[str, dict[str, int], int, int], list[int]]) -> Callable[[], object]:
        def work() -> object:
            with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
                return [way(str(record.seq), index, k, stride) for record in SeqIO.parse(file, "fasta")]

        return work

    return {"dnalm": ours, "ancestor": theirs(ancestor_ids), "one slice": theirs(one_slice_ids)}


def tokenizing_rows(timings: Timings) -> list[Row]:
    """Rows of the tokenizer alone."""
    rows = []
    for ours, theirs, aim in (
        ("dnalm", "ancestor", 100.0),
        ("dnalm", "one slice", None),
        ("dnalm from text", "ancestor", None),
    ):
        ratio = timings.ratio(theirs, ours)
        start = "letters" if ours == "dnalm from text" else "base codes"
        compared = f"ids from {start}, beside {_NAMES[theirs]}"
        rows.append(Row("tokenizing 5 Mb", compared, ratio.value, "x", ratio.low, ratio.high, aim))
    rows.append(Row("tokenizing 5 Mb", "dnalm, from base codes", 1000 * timings.median("dnalm"), "ms"))
    return rows


def file_rows(kind: str, timings: Timings, aim: float) -> list[Row]:
    """Rows of a FASTA file to ids."""
    subject = f"FASTA of 5 Mb to ids, {kind}"
    rows = []
    for theirs, wanted in (("ancestor", aim), ("one slice", None)):
        ratio = timings.ratio(theirs, "dnalm")
        compared = f"beside SeqIO and {_NAMES[theirs]}"
        rows.append(Row(subject, compared, ratio.value, "x", ratio.low, ratio.high, wanted))
    return [*rows, Row(subject, "dnalm", 1000 * timings.median("dnalm"), "ms")]


_NAMES = {"ancestor": "the ancestor's comprehension and dict", "one slice": "one slice a k-mer and dict"}
