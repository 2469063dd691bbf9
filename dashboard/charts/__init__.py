"""Plotly figures and drawn text from dnalm's results; no computing."""
