"""The one plotly template, light and dark, and the colours that pages use; tracks' colours are dnalm's own."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from dnalm.tracks.colours import FORWARD, GENE, KNOWN, REVERSE


@dataclass(frozen=True)
class Look:
    """Colours that depend on the background."""

    text: str
    quiet: str
    grid: str
    forward: str
    reverse: str
    known: str
    gene: str
    peak: str
    box: str
    paper: str
    right: str
    trained: str
    others: tuple[str, str]
    bases: dict[str, str]


# The field's habit, A green, C blue, G orange, T red, dark enough to be read as letters on white.
_DARK_LETTERS = {"A": "#0B7A37", "C": "#1B56A5", "G": "#A65E00", "T": "#C2192B", "N": "#6B7280"}
_LIGHT_LETTERS = {"A": "#4CD07D", "C": "#7DB4FF", "G": "#FFB84D", "T": "#FF8088", "N": "#A7B2BA"}

LIGHT = Look(
    text="#1F2933",
    quiet="#5B6770",
    grid="#E3E7EA",
    forward=FORWARD,
    reverse=REVERSE,
    known=KNOWN,
    gene=GENE,
    peak="#1F2933",
    box="#DDEBF5",
    paper="#F7F7F5",
    right="#00795C",
    trained="#E8C468",
    others=("#B5478A", "#7A7A00"),
    bases=_DARK_LETTERS,
)
# The same hues, lighter, so that thin lines keep a contrast of 3:1 and more on the dark page.
DARK = Look(
    text="#E8ECEF",
    quiet="#A7B2BA",
    grid="#3A3F44",
    forward="#56A9DC",
    reverse="#B994DB",
    known="#FF6B76",
    gene=GENE,
    peak="#E8ECEF",
    box="#2A4356",
    paper="#1B2026",
    right="#35C9A0",
    trained="#7A6420",
    others=("#F08CC8", "#C9C94A"),
    bases=_LIGHT_LETTERS,
)


def look() -> Look:
    """The colours for the theme that the person has chosen in the browser."""
    return DARK if st.context.theme.type == "dark" else LIGHT


def heading(text: str, colours: Look) -> dict[str, Any]:
    """A chart's title, which says what to see: plain text, whatever names are in it."""
    font = {"size": 17, "color": colours.text}
    return {"text": html.escape(text), "x": 0, "xanchor": "left", "font": font, "automargin": False}


def template(colours: Look) -> go.layout.Template:
    """The plotly template of every chart."""
    axis = {
        "gridcolor": colours.grid,
        "linecolor": colours.quiet,
        "zerolinecolor": colours.quiet,
        "tickfont": {"size": 13, "color": colours.text},
        "title": {"font": {"size": 14, "color": colours.text}},
        "ticks": "outside",
        "tickcolor": colours.quiet,
    }
    return go.layout.Template(
        layout={
            "font": {"family": "Source Sans, Source Sans Pro, sans-serif", "size": 14, "color": colours.text},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "margin": {"l": 70, "r": 16, "t": 84, "b": 56},
            "hovermode": "closest",
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": colours.quiet, "activecolor": colours.text},
            "xaxis": axis,
            "yaxis": axis,
            "legend": {
                "orientation": "h",
                "x": 0,
                "y": 1.02,
                "yanchor": "bottom",
                "font": {"size": 13, "color": colours.text},
            },
            "colorway": [colours.forward, colours.reverse, "#E69F00", "#009E73", "#CC79A7"],
        }
    )
