"""What a person does with a plotly chart that Streamlit does not tell: zoom, pan, and clicks where a drag selects.

A component without ink listens to the chart beside it in the page. Without it everything else works as it does.
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

_JS = """
const watched = new Map();

function stop(name) {
  const told = watched.get(name);
  if (!told) return;
  clearInterval(told.timer);
  clearTimeout(told.soon);
  if (told.chart && told.chart.removeListener) {
    told.chart.removeListener("plotly_relayout", told.zoomed);
    told.chart.removeListener("plotly_click", told.clicked);
  }
  watched.delete(name);
}

export default function (component) {
  const { data, setTriggerValue } = component;
  const name = data.chart;
  stop(name);
  const told = { chart: null, timer: null, soon: null };
  told.zoomed = (event) => {
    if (!data.zoom) return;
    let ends = null;
    for (const [key, value] of Object.entries(event || {})) {
      const match = /^xaxis\\d*\\.range(?:\\[([01])\\])?$/.exec(key);
      if (!match) continue;
      ends = ends || [null, null];
      if (match[1] === undefined) ends = [Number(value[0]), Number(value[1])];
      else ends[Number(match[1])] = Number(value);
    }
    if (!ends || !ends.every(Number.isFinite)) return;
    clearTimeout(told.soon);
    told.soon = setTimeout(() => setTriggerValue("range", ends.join(",")), 250);
  };
  told.clicked = (event) => {
    const point = event && event.points && event.points[0];
    if (data.click && point) setTriggerValue("range", `${Number(point.x)},${Number(point.x)}`);
  };
  // The chart may come later than this, and be made anew.
  told.timer = setInterval(() => {
    const chart = document.querySelector(`.st-key-${name} .js-plotly-plot`);
    if (!chart || !chart.on || chart === told.chart) return;
    told.chart = chart;
    chart.on("plotly_relayout", told.zoomed);
    chart.on("plotly_click", told.clicked);
  }, 200);
  watched.set(name, told);
  return () => { if (watched.get(name) === told) stop(name); };
}
"""
_watcher = st.components.v2.component("dnalm_chart_watch", js=_JS)


def watch(
    container: str, shown: str, on_range: Callable[[float, float], None], *, zoom: bool = False, click: bool = False
) -> None:
    """Tell when a chart is zoomed, panned or clicked.

    Args:
        container: key of the `st.container` that holds the chart, letters and underscores.
        shown: what the chart shows: another chart is listened to anew.
        on_range: called before the page is drawn anew, with the ends of the axis, or twice the place of a click.
        zoom: tell zoom and pan.
        click: tell clicks on points.
    """
    key = f"{container}_watch"

    def told() -> None:
        text = st.session_state[key].get("range")
        if text:
            low, _, high = str(text).partition(",")
            on_range(float(low), float(high))

    with st.container(key=f"{key}_box"):
        st.html(f"<style>.st-key-{key}_box{{display:none}}</style>")
        _watcher(
            key=key,
            data={"chart": container, "shown": shown, "zoom": zoom, "click": click},
            on_range_change=told,
        )
