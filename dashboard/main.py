"""The script that Streamlit runs for each page: the navigation, which follows the work."""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st

ROOT = str(Path(__file__).resolve().parent.parent)
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

from dashboard.links import show_address  # noqa: E402, it is found by the path above

st.set_page_config(page_title="dnalm", page_icon=str(Path(__file__).with_name("icon.svg")), layout="wide")

HOME = st.Page("views/home.py", title="Home", icon=":material/home:", default=True)
DATA = st.Page("views/data.py", title="Data", icon=":material/database:", url_path="data")
PRE_TRAIN = st.Page("views/pre_train.py", title="Pre-train", icon=":material/model_training:", url_path="pre-train")
FINE_TUNE = st.Page("views/fine_tune.py", title="Fine-tune", icon=":material/tune:", url_path="fine-tune")
JOBS = st.Page("views/jobs.py", title="Jobs", icon=":material/list_alt:", url_path="jobs")
MODELS = st.Page("views/models.py", title="Models", icon=":material/category:", url_path="models")
BENCHMARKS = st.Page("views/benchmarks.py", title="Benchmarks", icon=":material/leaderboard:", url_path="benchmarks")
SALIENCY = st.Page("views/saliency.py", title="Saliency", icon=":material/equalizer:", url_path="saliency")
MUTATION = st.Page("views/mutation.py", title="Mutation sensitivity", icon=":material/edit:", url_path="mutation")
MOTIFS = st.Page("views/motifs.py", title="Motifs", icon=":material/abc:", url_path="motifs")
EMBEDDING = st.Page("views/embedding.py", title="Embedding", icon=":material/scatter_plot:", url_path="embedding")
LONG_SEQUENCES = st.Page(
    "views/long_sequences.py",
    title="Long sequences",
    icon=":material/monitoring:",
    url_path="long-sequences",
)

# Streamlit leaves a hand's breadth above the title; the picture should stand on the first screen.
st.html("<style>.stMainBlockContainer{padding-top:4rem}</style>")

# On top: the pictures want the width that a sidebar takes.
page = st.navigation(
    {
        "": [HOME, DATA],
        "Train": [PRE_TRAIN, FINE_TUNE, JOBS, MODELS],
        "Compare": [BENCHMARKS],
        "Explain": [SALIENCY, MUTATION, MOTIFS, EMBEDDING],
        "Scan": [LONG_SEQUENCES],
    },
    position="top",
)
show_address()
page.run()
