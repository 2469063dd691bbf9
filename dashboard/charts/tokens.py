"""What k and stride mean, as letters: an example, and below it the first words that the model reads."""

from __future__ import annotations

from dashboard.charts.theme import Look
from dnalm.alphabet import encode
from dnalm.tokenizer import KmerTokenizer

EXAMPLE = "ATGACCGTTATTGACCTGAAACGC"
_SHOWN = 4


def tokens_html(tokenizer: KmerTokenizer, colours: Look) -> str:
    """The example and its first k-mers, each below the bases that it covers; only letters made here go into it."""
    spans = tokenizer.spans(len(encode(EXAMPLE)))[:_SHOWN]
    rows = [_row(0, EXAMPLE, colours, "letters")]
    rows += [_row(int(start), EXAMPLE[start:end], colours, "word") for start, end in spans]
    label = f"{EXAMPLE} is read as {', '.join(EXAMPLE[start:end] for start, end in spans)} and so on"
    style = (
        "<style>.dnalm-tokens{font:600 16px/1.45 'Source Code Pro',ui-monospace,monospace;overflow-x:auto}"
        ".dnalm-tokens div{white-space:pre}.dnalm-tokens span{display:inline-block;width:.72em;text-align:center}"
        f".dnalm-tokens .word span.in{{background:{colours.box}}}</style>"
    )
    return f'{style}<div class="dnalm-tokens" role="img" aria-label="{label}">{"".join(rows)}</div>'


def _row(indent: int, letters: str, colours: Look, kind: str) -> str:
    blank = "<span></span>" * indent
    shown = "".join(f'<span class="in" style="color:{colours.bases[letter]}">{letter}</span>' for letter in letters)
    return f'<div class="{kind}">{blank}{shown}</div>'


def tokens_sentence(tokenizer: KmerTokenizer) -> str:
    """The same in words."""
    k, stride, new = tokenizer.k, tokenizer.stride, tokenizer.new_bases
    words = "single bases" if k == 1 else f"words of {k} bases (k-mers)"
    step = "one at every base" if stride == 1 else f"a new one every {stride} bases"
    skipped = f" {stride - k} bases between two words are never read." if stride > k else ""
    guess = "the next base" if new == 1 else f"the next {new} bases"
    return (
        f"The model reads {words}, {step}: {tokenizer.kmers:,} different words. At each it predicts {guess}, one of "
        f"{tokenizer.continuations:,} possibilities.{skipped}"
    )
