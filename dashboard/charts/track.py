"""The picture of a scan: probability along the sequence, known starts in red, genes as arrows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.charts.theme import Look, template
from dashboard.state import Place
from dnalm.tracks import Peak, Track
from dnalm.tracks.picture import arrow, shown_at, shown_gene

if TYPE_CHECKING:
    from dnalm.annotation import Gene, Site

# Points of a strand above which neighbours are drawn as their highest. Plotly leaves out what no pixel shows, so
# that SVG carries this many, and unlike WebGL draws filled curves under the marks in every browser.
MOST_POINTS = 60_000
# Points that answer to the pointer: more than there are pixels.
MOST_HOVERED = 4_000
NAMES = {"+": "Forward strand", "-": "Reverse strand"}


def track_figure(
    track: Track,
    colours: Look,
    *,
    threshold: float,
    peaks: Sequence[Peak],
    sites: Sequence[Site] = (),
    sites_name: str = "Known starts",
    genes: Sequence[Gene] = (),
    place: Place | None = None,
) -> go.Figure:
    """The figure of a scan: forward above zero, reverse mirrored below, genes in a row of their own.

    Args:
        track: the scores.
        colours: for the light or the dark page.
        threshold: drawn as a dashed line on each side.
        peaks: calls; their points carry `"812345-forward"` as customdata, for clicks.
        sites: known starts.
        sites_name: what they are.
        genes: drawn as arrows.
        place: the site that a person looks at, marked by a line.
    """
    rows = 2 if genes else 1
    figure = make_subplots(rows=rows, cols=1, shared_xaxes=True, vertical_spacing=0.03, row_heights=[0.84, 0.16][:rows])
    shown = _shown_sites(track, sites)
    _stems(figure, shown, colours)
    for strand, scores in track.strands().items():
        _line(figure, track, strand, scores, colours)
        _values(figure, track, strand, scores, peaks)
    _marks(figure, shown, sites_name, colours)
    _peaks(figure, track, peaks, colours)
    for side in [1 if strand == "+" else -1 for strand in track.strands()]:
        line = {"color": colours.quiet, "width": 1, "dash": "dash"}
        figure.add_hline(y=side * threshold, line=line, row=1, col=1)
    if place is not None and (at := shown_at(place.position, track)) is not None:
        figure.add_vline(x=at + 1, line={"color": colours.text, "width": 1, "dash": "dot"}, row=1, col=1)
    if genes:
        _genes(figure, track, genes, colours)
    _layout(figure, track, colours, rows)
    return figure


def _line(figure: go.Figure, track: Track, strand: str, scores: np.ndarray, colours: Look) -> None:
    side = 1 if strand == "+" else -1
    x, y = _thinned(track.positions + 1, scores, MOST_POINTS)
    colour = colours.forward if strand == "+" else colours.reverse
    figure.add_trace(
        go.Scatter(
            x=x,
            y=side * y,
            mode="lines",
            line={"color": colour, "width": 1.2},
            fill="tozeroy",
            name=NAMES[strand],
            hoverinfo="skip",
        ),
        row=1,
        col=1,
    )


def _values(figure: go.Figure, track: Track, strand: str, scores: np.ndarray, peaks: Sequence[Peak]) -> None:
    """What hovering over the line says: nothing drawn, and nothing near the peaks, which are to be hit themselves."""
    x, y = _thinned(track.positions + 1, scores, MOST_HOVERED)
    reach = (track.end - track.start) / 150
    places = [at + 1 for peak in peaks if peak.strand == strand and (at := shown_at(peak.position, track)) is not None]
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


def _thinned(x: np.ndarray, y: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The points, or where there are too many the highest of each bin: a peak is never thinned away."""
    step = -(-len(x) // most)
    if step <= 1:
        return x, y
    whole = len(x) // step * step
    high = np.where(np.isnan(y[:whole]), -np.inf, y[:whole]).reshape(-1, step)
    best = high.argmax(axis=1) + np.arange(0, whole, step)
    return x[best], y[best]


_Shown = list[tuple[int, int, "Site"]]


def _shown_sites(track: Track, sites: Sequence[Site]) -> _Shown:
    """Place on the axis, side (1 or -1) and site of those that lie in the picture."""
    placed = [(shown_at(site.position, track), site) for site in sites if site.record == track.record]
    return [
        (at + 1, 1 if site.strand == "+" else -1, site)
        for at, site in placed
        if at is not None and site.strand in track.strands()
    ]


def _stems(figure: go.Figure, shown: _Shown, colours: Look) -> None:
    """A thin line below the scores at each known start: one trace, in which a gap parts each from the next."""
    if not shown:
        return
    figure.add_trace(
        go.Scatter(
            x=[value for at, _, _ in shown for value in (at, at, None)],
            y=[value for _, side, _ in shown for value in (0, side * 1.04, None)],
            mode="lines",
            line={"color": colours.known, "width": 1.5},
            opacity=0.55,
            hoverinfo="skip",
            showlegend=False,
        ),
        row=1,
        col=1,
    )


def _marks(figure: go.Figure, shown: _Shown, name: str, colours: Look) -> None:
    if not shown:
        return
    figure.add_trace(
        go.Scatter(
            x=[at for at, _, _ in shown],
            y=[side * 1.07 for _, side, _ in shown],
            mode="markers",
            name=name,
            marker={
                "symbol": ["triangle-down" if side > 0 else "triangle-up" for _, side, _ in shown],
                "color": colours.known,
                "size": 11,
            },
            customdata=[[str(Place(site.position, site.strand)), text(site.name)] for _, _, site in shown],
            hovertemplate="%{customdata[1]} known start at %{x:,}<br>click for its sequence<extra></extra>",
            unselected={"marker": {"opacity": 1}},
        ),
        row=1,
        col=1,
    )


def _peaks(figure: go.Figure, track: Track, peaks: Sequence[Peak], colours: Look) -> None:
    shown = [(at, peak) for peak in peaks if (at := shown_at(peak.position, track)) is not None]
    figure.add_trace(
        go.Scatter(
            x=[at + 1 for at, _ in shown],
            y=[peak.probability * (1 if peak.strand == "+" else -1) for _, peak in shown],
            mode="markers",
            name="Peaks (click one)",
            marker={
                "symbol": "circle-open",
                "color": colours.peak,
                "size": 9,
                "line": {"width": 1.5, "color": colours.peak},
            },
            customdata=[[str(Place(peak.position, peak.strand)), peak.probability] for _, peak in shown],
            hovertemplate="peak at %{x:,}, probability %{customdata[1]:.3f}<br>click for its sequence<extra></extra>",
            unselected={"marker": {"opacity": 1}},
        ),
        row=1,
        col=1,
    )


def _genes(figure: go.Figure, track: Track, genes: Sequence[Gene], colours: Look) -> None:
    span = track.end - track.start
    placed = [(place, gene) for gene in genes if (place := shown_gene(gene, track))]
    corners = [[*arrow(*place, gene.strand, head=span / 130)] for place, gene in placed]
    x = [value for shape in corners for value in (*(corner[0] + 1 for corner in shape), shape[0][0] + 1, None)]
    y = [value for shape in corners for value in (*(corner[1] for corner in shape), shape[0][1], None)]
    figure.add_trace(
        go.Scatter(
            x=x,
            y=y,
            mode="lines",
            fill="toself",
            fillcolor=colours.gene,
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
        ),
        row=2,
        col=1,
    )
    middles = [(max(low, track.start) + min(high, track.end)) / 2 for (low, high), _ in placed]
    wide = [min(high, track.end) - max(low, track.start) for (low, high), _ in placed]
    figure.add_trace(
        go.Scatter(
            x=middles,
            y=[0.5 if gene.strand == "+" else -0.5 for _, gene in placed],
            mode="text",
            # A name is written where it fits; hovering names every gene.
            text=[
                text(gene.name) if width > span * 0.009 * max(len(gene.name), 3) else ""
                for (_, gene), width in zip(placed, wide, strict=True)
            ],
            textfont={"size": 11, "color": "white"},
            customdata=[
                [text(gene.name), gene.start + 1, gene.end, gene.strand, text(gene.kind)] for _, gene in placed
            ],
            hovertemplate="%{customdata[0]} (%{customdata[4]}, %{customdata[3]} strand)<br>"
            "%{customdata[1]:,} to %{customdata[2]:,}<extra></extra>",
            showlegend=False,
        ),
        row=2,
        col=1,
    )


def _layout(figure: go.Figure, track: Track, colours: Look, rows: int) -> None:
    both = len(track.strands()) == 2
    low = -1.15 if "-" in track.strands() else 0
    high = 1.15 if "+" in track.strands() else 0
    ticks = [tick for tick in (-1, -0.5, 0, 0.5, 1) if low <= tick <= high]
    figure.update_layout(
        template=template(colours),
        title={"text": f"{text(track.model)}: does a peak stand at each red mark?", "x": 0, "font": {"size": 17}},
        height=500 if rows == 2 else 430,
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
    if rows == 2:
        figure.update_yaxes(
            range=[-1, 1],
            tickvals=[0.5, -0.5],
            ticktext=["genes +", "genes −"],
            ticks="",
            fixedrange=True,
            showgrid=False,
            zeroline=False,
            row=2,
            col=1,
        )
    figure.update_xaxes(title_text=f"Position in {text(track.record)} (bases)", row=rows, col=1)


def text(name: str) -> str:
    """A name from a file, for plotly, which reads some tags: nothing in it is a tag."""
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
