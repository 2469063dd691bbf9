"""The picture of a scan: probability along the sequence, known starts in red, calls by what is known of them, genes.

At bases also the letters, and what each of them adds to the call at one site.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.charts import track_marks, track_rows
from dashboard.charts.theme import Look, heading, template
from dashboard.charts.track_rows import Logo, text
from dashboard.state import Place
from dnalm.tracks import Track
from dnalm.tracks.bins import binned
from dnalm.tracks.picture import shown_at

if TYPE_CHECKING:
    from dnalm.alphabet import Codes
    from dnalm.annotation import Gene, Site
    from dnalm.sequences import Region
    from dnalm.tracks.verdicts import Judged

MOST_POINTS = 5_000
"""Points of a curve that are sent to a browser."""
WIDTH = 2_000
"""Bins of a curve of more sites than that: at least one for each pixel of its width on a large screen."""
MOST_HOVERED = 1_500
NAMES = {"+": "forward strand", "-": "reverse strand"}
_TRACK, _MARGINS = 330, 126  # pixels


@dataclass(frozen=True)
class Shown:
    """What a picture of a scan shows.

    Attributes:
        tracks: of one region, one a model; the calls are the first one's.
        threshold: drawn as a dashed line on each side.
        calls: with what is known of each.
        sites: known starts.
        sites_name: what they are.
        genes: drawn as arrows, or counted where there are too many.
        trained: stretches that the first model was trained on, shaded.
        place: the site that a person looks at, marked by a line.
        letters: the region's bases where they are to be read; see `Logo` for its length.
        logo: what each base adds to the call at one site.
    """

    tracks: Sequence[Track]
    threshold: float
    calls: Sequence[Judged] = ()
    sites: Sequence[Site] = ()
    sites_name: str = "Known starts"
    genes: Sequence[Gene] = ()
    trained: Sequence[Region] = ()
    place: Place | None = None
    letters: Codes | None = None
    logo: Logo | None = None

    @property
    def track(self) -> Track:
        """The first model's."""
        return self.tracks[0]


def track_figure(shown: Shown, colours: Look) -> go.Figure:
    """The figure: forward above zero, reverse mirrored below, other rows under it over the same axis."""
    track = shown.track
    rows = _rows(shown)
    heights = [height for _, height in rows]
    figure = make_subplots(
        rows=len(rows),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=8 / (sum(heights) + 8 * len(rows)),
        row_heights=heights,
    )
    marked = track_marks.placed(track, shown.sites)
    track_marks.stems(figure, marked, colours)
    for number, one in enumerate(shown.tracks):
        for strand, scores in one.strands().items():
            _curve(figure, one, strand, scores, _colour(number, strand, colours), number, len(shown.tracks))
    for strand, scores in track.strands().items():
        _values(figure, track, strand, scores, shown.calls)
    track_marks.known(figure, marked, shown.sites_name, colours)
    track_marks.trained(figure, shown.trained, track, colours)
    track_marks.calls(figure, track, shown.calls, colours)
    for side in [1 if strand == "+" else -1 for strand in track.strands()]:
        line = {"color": colours.quiet, "width": 1, "dash": "dash"}
        figure.add_hline(y=side * shown.threshold, line=line, row=1, col=1)
    if shown.place is not None and (at := shown_at(shown.place.position, track)) is not None:
        figure.add_vline(x=at + 1, line={"color": colours.text, "width": 1, "dash": "dot"}, row=1, col=1)
    for number, (name, _) in enumerate(rows[1:], 2):
        if name == "genes":
            track_rows.genes(figure, track, shown.genes, colours, number)
        elif name == "logo" and shown.logo is not None:
            track_rows.logo(figure, track, shown.logo, colours, number)
        elif shown.letters is not None:
            track_rows.letters(figure, track, shown.letters, name, colours, number)
    _layout(figure, shown, colours, rows, bool(marked))
    return figure


def _rows(shown: Shown) -> list[tuple[str, int]]:
    """Names of the rows and their heights in pixels."""
    rows = [("track", _TRACK)]
    if shown.letters is not None:
        rows += [(strand, 30) for strand in ("+", "-") if strand in shown.track.strands()]
    if shown.logo is not None:
        rows.append(("logo", 110))
    if shown.genes:
        rows.append(("genes", 62))
    return rows


def _colour(number: int, strand: str, colours: Look) -> str:
    if number:
        return colours.others[(number - 1) % len(colours.others)]
    return colours.forward if strand == "+" else colours.reverse


def _curve(
    figure: go.Figure, track: Track, strand: str, scores: np.ndarray, colour: str, number: int, models: int
) -> None:
    """One model's scores of one strand: each site, or of each bin the mean and how far its sites reach."""
    side = 1 if strand == "+" else -1
    bins = binned(track.positions, scores, MOST_POINTS if len(track) <= MOST_POINTS else WIDTH)
    name = (
        NAMES[strand].capitalize() if models == 1 else f"{track.model}, {NAMES[strand]}" if not number else track.model
    )
    common = {"x": bins.positions + 1, "mode": "lines", "hoverinfo": "skip", "legendgroup": f"{number}{strand}"}
    once = number == 0 or strand == next(iter(track.strands()))
    named = {"name": text(name), "showlegend": once}
    if number:  # lines alone, over the first one's areas
        line = {"color": colour, "width": 1.5}
        figure.add_trace(go.Scatter(y=side * bins.high, line=line, **common, **named), row=1, col=1)
        return
    if bins.sites == 1:
        line = {"color": colour, "width": 1.2}
        figure.add_trace(go.Scatter(y=side * bins.high, line=line, fill="tozeroy", **common, **named), row=1, col=1)
        return
    figure.add_trace(go.Scatter(y=side * bins.low, line={"width": 0}, showlegend=False, **common), row=1, col=1)
    line = {"color": colour, "width": 0.8}
    figure.add_trace(go.Scatter(y=side * bins.high, line=line, fill="tonexty", **common, **named), row=1, col=1)
    line = {"color": colour, "width": 1.4}
    figure.add_trace(go.Scatter(y=side * bins.mean, line=line, showlegend=False, **common), row=1, col=1)


def _values(figure: go.Figure, track: Track, strand: str, scores: np.ndarray, calls: Sequence[Judged]) -> None:
    """What hovering over the line says: nothing drawn, and nothing near the calls, which are to be hit themselves."""
    bins = binned(track.positions + 1, scores, MOST_HOVERED)
    x, y = bins.positions, bins.high
    reach = (track.end - track.start) / 150
    peaks = [one.peak for one in calls if one.peak.strand == strand]
    places = [at + 1 for peak in peaks if (at := shown_at(peak.position, track)) is not None]
    clear = np.ones(len(x), dtype=bool)
    for place in places:
        clear[np.searchsorted(x, place - reach) : np.searchsorted(x, place + reach, side="right")] = False
    figure.add_trace(
        go.Scatter(
            x=x[clear],
            y=y[clear] if strand == "+" else -y[clear],
            customdata=y[clear],
            mode="none",
            hovertemplate=f"%{{x:,}} ({strand})<br>probability %{{customdata:.3f}}<extra></extra>",
            showlegend=False,
        ),
        row=1,
        col=1,
    )


def _layout(figure: go.Figure, shown: Shown, colours: Look, rows: Sequence[tuple[str, int]], starts: bool) -> None:
    track = shown.track
    both = len(track.strands()) == 2
    low = -1.15 if "-" in track.strands() else 0
    high = 1.15 if "+" in track.strands() else 0
    ticks = [tick for tick in (-1, -0.5, 0, 0.5, 1) if low <= tick <= high]
    asks = "does a peak stand at each red mark?" if starts else "where does it see starts?"
    names = " and ".join(one.model for one in shown.tracks)
    figure.update_layout(
        template=template(colours),
        title={**heading(f"{names}: {asks}", colours), "y": 0.99, "yanchor": "top"},
        height=sum(height for _, height in rows) + 8 * len(rows) + _MARGINS,
        margin={"l": 70, "r": 16, "t": 70, "b": 56},
        dragmode="zoom",
        # Plotly keeps pan and zoom for as long as the picture is of the same region.
        uirevision=f"{track.record}:{track.start}-{track.end}",
    )
    figure.update_xaxes(range=[track.start + 0.5, track.end + 0.5], tickformat=",d", showgrid=False)
    figure.update_yaxes(
        range=[low, high],
        tickvals=ticks,
        ticktext=[f"{abs(tick):g}" for tick in ticks],
        title_text="← reverse · probability · forward →" if both else "probability",
        fixedrange=True,
        zeroline=True,
        row=1,
        col=1,
    )
    figure.update_xaxes(title_text=f"Position in {text(track.record)} (bases)", row=len(rows), col=1)
