"""A window's sequence as coloured letters, ten to a group, with the site and the boxes before it marked."""

from __future__ import annotations

from dashboard.charts.theme import Look
from dnalm.alphabet import Codes, decode
from dnalm.tracks.boxes import MINUS_10, MINUS_35, Boxes

GROUP = 10


def sequence_html(codes: Codes, anchor: int, colours: Look, boxes: Boxes | None = None) -> str:
    """The letters of a window as HTML, numbered from the site: +1 is the site, -1 the base before it.

    Groups of ten, each with the number of its first base above, wrap where the page is narrow. Only letters and
    numbers that are made here go into it.

    Args:
        codes: the bases as the model read them, shape `(length,)`.
        anchor: offset of the site.
        colours: for the light or the dark page.
        boxes: the -35 and -10 boxes, marked and named.
    """
    letters = decode(codes)
    marks = {anchor: ("dnalm-site", "")}
    for start, length, name in _spans(boxes):
        marks |= dict.fromkeys(range(start, start + length), ("dnalm-box", ""))
        marks[start] = ("dnalm-box", name)
    groups = []
    for first in range(0, len(letters), GROUP):
        offsets = range(first, min(first + GROUP, len(letters)))
        spans = "".join(_letter(letters[offset], offset, anchor, marks.get(offset)) for offset in offsets)
        groups.append(f'<span class="dnalm-group" data-number="{numbered(first, anchor)}">{spans}</span>')
    label = f"Sequence, {len(letters)} bases; the site is base {anchor + 1}"
    return f'{_style(colours)}<div class="dnalm-sequence" role="img" aria-label="{label}">{"".join(groups)}</div>'


def numbered(offset: int, anchor: int) -> str:
    """The field's number of a base: +1 at the site, no zero, -1 before it."""
    number = offset - anchor
    return f"+{number + 1}" if number >= 0 else f"−{-number}"


def _spans(boxes: Boxes | None) -> list[tuple[int, int, str]]:
    if boxes is None:
        return []
    return [(boxes.minus_35, len(MINUS_35), "−35 box"), (boxes.minus_10, len(MINUS_10), "−10 box")]


def _letter(letter: str, offset: int, anchor: int, mark: tuple[str, str] | None) -> str:
    classes = [f"dnalm-{letter}"]
    name = ""
    if mark:
        classes.append(mark[0])
        name = f' data-name="{mark[1]}"' if mark[1] else ""
    return f'<span class="{" ".join(classes)}" title="{numbered(offset, anchor)}"{name}>{letter}</span>'


def _style(colours: Look) -> str:
    letters = "".join(f".dnalm-{base}{{color:{colour}}}" for base, colour in colours.bases.items())
    small = "position:absolute;white-space:nowrap;font:400 12px/1 'Source Sans',sans-serif"
    return (
        "<style>.dnalm-sequence{font:600 17px/1.25 'Source Code Pro',ui-monospace,monospace}"
        ".dnalm-sequence span{display:inline-block;position:relative}"
        ".dnalm-sequence .dnalm-group{margin:18px 0 16px;padding-right:.4em}"
        ".dnalm-group>span{width:.7em;text-align:center}"
        f".dnalm-sequence .dnalm-box{{background:{colours.box}}}"
        f".dnalm-sequence .dnalm-site{{outline:2px solid {colours.known};outline-offset:1px}}"
        f".dnalm-group::before{{content:attr(data-number);{small};left:0;top:-15px;color:{colours.quiet}}}"
        f".dnalm-sequence [data-name]::after{{content:attr(data-name);{small};left:0;top:24px;color:{colours.text}}}"
        f"{letters}</style>"
    )
