"""A picture that stands in a chart's place until the browser has drawn the chart.

The chart library is several megabytes, which take a browser seconds to fetch, evaluate and run; an image is there at
once. It lies over the chart's place, says nothing to screen readers, for which the chart has words, and a style rule
takes it away as soon as the chart has its first trace.
"""

from __future__ import annotations

import base64

_STYLE = """
.st-key-{key} {{ position: relative; min-height: {height}px; }}
.st-key-{key} .drawn {{
  position: absolute; inset: 0 0 auto 0; width: 100%; height: {height}px; object-fit: contain; object-position: center;
  pointer-events: none; z-index: 1;
}}
.st-key-{key}:has(.js-plotly-plot .trace) .drawn {{ display: none; }}
"""


def until_drawn(png: bytes, key: str, height: int) -> str:
    """The picture as HTML for `st.html`.

    Args:
        png: the picture.
        key: of the `st.container` that holds this and the chart.
        height: of the chart, CSS pixels.
    """
    image = base64.b64encode(png).decode()
    style = _STYLE.format(key=key, height=height)
    return f'<style>{style}</style><img class="drawn" alt="" decoding="sync" src="data:image/png;base64,{image}">'
