"""FASTA, streamed in large blocks: no Python work a line."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

from dnalm.errors import InputError
from dnalm.sequences.blocks import NOTHING, Block, ForeignLetterError, Header, foreign_message, to_codes

LONGEST_HEADER = 1 << 20
NO_HEADER = "there is sequence before the first header; a header starts with '>'."
NEWLINE = ord("\n")
_READ = 120_000  # below the 128 kB from which malloc takes fresh, cold pages for every block
# NCBI's source modifier, and the habit of assemblers such as Unicycler: the header says it is a circle.
_CIRCULAR = re.compile(r"\[topology=circular\]|\bcircular=(?:true|y|yes)\b")


def fasta_blocks(stream: io.BufferedReader) -> Iterator[Block]:
    """The records of a FASTA stream, a block of codes at a time.

    Lines may be of any length and end in LF, CRLF or (as on an old Mac) CR; blank lines and lines that start
    with ';' are skipped.

    Args:
        stream: from `open_text`; its `name` is used in messages.

    Raises:
        InputError: letters before the first header, a letter that is no nucleotide, or a header of over a
            megabyte.
    """
    name, count, current = stream.name, 0, None
    for header, text, bare, line in _pieces(stream):
        if header:
            count += 1
            current = _header(text, count, line)
            yield Block(current, b"", NOTHING)
            continue
        if current is None:
            stray = text.translate(None, b"\r\n \t\v\f\xef\xbb\xbf")
            if not stray:
                continue
            at = line + text.count(b"\n", 0, text.index(stray[:1]))
            raise InputError(f"{name}, line {at}: {NO_HEADER}")
        try:
            codes, seen = to_codes(text, bare=bare)
        except ForeignLetterError as error:
            at = line + text.count(b"\n", 0, error.offset)
            raise InputError(foreign_message(error.letter, f"{name}, record {current.id!r}, line {at}")) from None
        if codes:
            yield Block(None, codes, seen)


def split_header(text: str, number: int) -> tuple[str, str]:
    """The id (first word, or `record_NUMBER`) and the description (the rest) of a header."""
    words = text.split(None, 1)
    if not words:
        return f"record_{number}", ""
    return words[0], words[1].strip() if len(words) > 1 else ""


def _header(text: bytes, number: int, line: int) -> Header:
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError:
        decoded = text.decode("latin-1")
    name, description = split_header(decoded, number)
    return Header(name, description, "circular" in description and bool(_CIRCULAR.search(description)), line)


def _pieces(stream: io.BufferedReader) -> Iterator[tuple[bool, bytes, bytes, int]]:
    """Headers (without '>') and the text between them.

    Yields:
        `(is header, text, text without line feeds, line)`; the line is that of the first byte, 1-based.
    """
    line, fresh, carry, first, old_mac = 1, True, b"", True, False
    while block := stream.read(_READ):
        if first:
            # A CR that ends the block may have its LF in the next.
            old_mac = b"\r" in block[:-1] and b"\n" not in block
            block = block.removeprefix(b"\xef\xbb\xbf")
            first = False
        if old_mac:
            block = block.replace(b"\r", b"\n")
        if carry:
            block, carry = carry + block, b""
        at = 0
        # Looked for once a block: to look again for each of its records would be quadratic in short ones.
        comments = b";" in block and b"\n;" in block  # a lone byte is found many times as fast as a pair
        while at < len(block):
            if fresh and block[at] in b">;":
                end = block.find(b"\n", at)
                if end < 0:
                    carry = block[at:]
                    if len(carry) > LONGEST_HEADER:
                        raise InputError(
                            f"{stream.name}, line {line}: the header is over {LONGEST_HEADER:,} bytes long."
                        )
                    break
                if block[at] == ord(">"):
                    yield True, block[at + 1 : end], b"", line
                line, at = line + 1, end + 1
                continue
            end = _next_header(block, at, comments)
            text = block[at:end]
            bare = text.replace(b"\n", b"")
            yield False, text, bare, line
            line += len(text) - len(bare)  # a third of the time that counting takes
            fresh, at = text.endswith(b"\n"), end
    if carry.startswith(b">"):
        yield True, carry[1:], b"", line


def _next_header(block: bytes, at: int, comments: bool) -> int:
    """Where the text from `at` ends: at the next line that starts with '>' or ';', or with the block."""
    header = block.find(b">", at + 1)  # a lone byte is found many times as fast as the pair with its line end
    while header >= 0 and block[header - 1] != NEWLINE:
        header = block.find(b">", header + 1)
    header = header if header >= 0 else len(block)
    comment = block.find(b"\n;", at, header) + 1 if comments else 0
    return comment or header
