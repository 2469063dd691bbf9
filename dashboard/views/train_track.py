"""Train a model that scans: a genome, its genes, its known starts, and which regions are for what."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import choices, estimates, launching, site_uploads, uploads
from dashboard.form_fields import blank, from_address, merged
from dashboard.forms import Filled, filled
from dashboard.links import link
from dashboard.saying import plain
from dnalm.datasets import catalog
from dnalm.datasets.region_split import ECOLI_STARTS, PARTS
from dnalm.errors import DnalmError, InputError
from dnalm.lab.people import User
from dnalm.training.config import TrackTrainConfig
from dnalm.training.sizes import genome_length
from dnalm.training.track_text import TrackText

KEY = "track"
TITLE = "Train a model that scans"
SENTENCE = (
    "A track model learns from every base of a genome's training regions, on both strands: how near a known start is, "
    "and what the annotation says of genes. It then scores whole genomes at every base, in minutes. Starts are scarce, "
    "so regions kept apart as a whole tell how good it is; and unlike a classifier it needs no negative sequences."
)
MODEL = "ecoli-region-lm"
MAIN = (
    *("genome", "starts", "annotation"),
    *("train", "valid", "test"),
    *("model", "steps", "members"),
)
SKIP = frozenset({"name", "from_scratch", "network.encoder"})
OPTIONS = {name: f"--{name}" for name in ("genome", "starts", "annotation", "model", "steps")}
WORDS = {"train": "training", "valid": "validation", "test": "test"}
# Of a larger genome the starts are counted when the run begins. Bases.
LARGEST_COUNTED = 20_000_000


def show(user: User) -> None:
    """Draw the form, what it will take, and the button."""
    st.write(SENTENCE)
    genomes, files = choices.genomes(user)
    offered, paths = _offered(user)
    offered |= {"genome": genomes, "model": choices.language_models(user)}
    paths["genome"] = files
    _bring(user)
    values, problems = _from_the_address(offered)
    choices.show_problems(problems)
    form: Filled[TrackTrainConfig] = filled(
        TrackTrainConfig, values, key=KEY, main=MAIN, skip=SKIP, choices=offered, address=True
    )
    if form.config is None:
        hint = "Put right what is marked above; then the estimate stands here."
        if not offered["starts"]:
            hint = "No table of known starts is here yet: bring one above. Then the estimate stands here."
        st.info(hint, icon=":material/edit:")
        launching.launch(None, key=KEY, refused=True)
        return
    config = _with_files(form.config, paths)
    refused = not _learned_from(config)
    found = estimates.show(config)
    launching.launch(config, key=KEY, refused=refused or (found is not None and bool(found.refusals)))
    st.subheader("At the shell", anchor=False)
    st.write("The same from the command line; add `--estimate` to see only what it will take:")
    words = ["dnalm", "train", "--task", "track"]
    words += [word for part in PARTS for region in getattr(config, part) for word in (f"--{part}-region", region)]
    others = form.config.model_copy(update={part: [] for part in PARTS})
    st.code(launching.command(words, others, OPTIONS), language="bash", wrap_lines=True)


def _offered(user: User) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
    """What is offered of tables and annotations, by field: key to title; and key to what a configuration calls it."""
    try:
        entries = list(catalog.load().values())
    except InputError:  # the page Data says what is wrong with it
        entries = []
    offered: dict[str, dict[str, str]] = {}
    paths: dict[str, dict[str, str]] = {}
    for field, kind in (("starts", "sites"), ("annotation", "annotation")):
        own = site_uploads.listed(user, field)  # type: ignore[arg-type]  # the fields are the kinds
        there = {entry.name: entry.title for entry in entries if entry.kind == kind and _to_be_had(entry)}
        offered[field] = there | site_uploads.titles(own)
        paths[field] = {one.key: str(one.path) for one in own}
    # A GenBank file has its genes in it.
    brought = [one for one in uploads.known(user) if one.name.removesuffix(".gz").endswith((".gb", ".gbk", ".gbff"))]
    offered["annotation"] |= {one.key: one.title for one in brought}
    paths["annotation"] |= {one.key: str(one.path) for one in brought}
    return offered, paths


def _to_be_had(entry: catalog.Entry) -> bool:
    """Whether a file of the catalogue is here or can be fetched: one that was derived from another cannot."""
    return catalog.holding(entry.name) is not None or entry.official != "derived"


def _bring(user: User) -> None:
    """Take a person's own table of starts, or annotation."""
    with st.expander("Bring your own starts or annotation", icon=":material/upload:"):
        for column, (kind, what) in zip(st.columns(2), _FILES.items(), strict=True):
            file = column.file_uploader(
                what,
                key=f"{KEY}:{kind}:upload",
                max_upload_size=site_uploads.CAPS.file >> 20,
                help="It is kept on the server that runs this page, for you alone.",
            )
            done = f"{KEY}:{kind}:done"
            if file is None or st.session_state.get(done) == file.file_id:
                continue
            try:
                kept = site_uploads.keep(user, file, file.name, kind)
            except DnalmError as error:
                column.error(plain(str(error)), icon=":material/error:")
                continue
            st.session_state[done] = file.file_id
            st.query_params[kind] = kept.key
            st.rerun()
        st.caption(
            "A table has a header with `tss` (counted from 1) and `strand`, and perhaps `record` and `name`. A genome "
            "of your own is uploaded on the page Data."
        )
        link("data", "Bring a genome", icon=":material/database:")


_FILES: dict[site_uploads.Kind, str] = {
    "starts": "Start sites: TSV, CSV, GFF3 or BED",
    "annotation": "Genes: GFF3, GenBank or BED",
}


def _from_the_address(offered: Mapping[str, Mapping[str, str]]) -> tuple[dict[str, Any], list[str]]:
    """Every field's value: the address's, else a default that can be launched as it stands."""
    query = choices.query()
    start: dict[str, Any] = {
        "genome": _first(ECOLI_STARTS.genome, offered["genome"]),
        "starts": _first(ECOLI_STARTS.truth, offered["starts"]),
        "model": MODEL if MODEL in offered["model"] else None,
    }
    given, problems = from_address(TrackTrainConfig, query, merged(blank(TrackTrainConfig), start))
    for field in ("genome", "starts", "annotation", "model"):
        if given.get(field):
            what = {"starts": "table of starts", "model": "language model"}.get(field, field)
            problems += choices.unknown(what, [given[field]], offered[field])
            if given[field] not in offered[field]:
                del given[field]
        elif field in query:  # emptied, which is not the same as never given
            start[field] = None
    for field in SKIP & given.keys():
        del given[field]
    held = merged(start, given)
    if (held["genome"], held["starts"]) == (ECOLI_STARTS.genome, ECOLI_STARTS.truth) and not any(
        part in query for part in PARTS
    ):
        held |= ECOLI_STARTS.as_texts()  # the regions on which the models that ship are judged
    return held, problems


def _first(wanted: str, offered: Mapping[str, str]) -> str:
    return wanted if wanted in offered else next(iter(offered), "")


def _with_files(config: TrackTrainConfig, paths: Mapping[str, Mapping[str, str]]) -> TrackTrainConfig:
    """The configuration as it is run: what was uploaded by its file."""
    named = {field: known[name] for field, known in paths.items() if (name := getattr(config, field)) and name in known}
    return config.model_copy(update=named)


def _learned_from(config: TrackTrainConfig) -> bool:
    """Say how many starts there are to learn from, choose on and be measured on; False where it cannot be run."""
    named = {name: value for name in ("genome", "starts", "annotation") if (value := getattr(config, name))}
    missing = [value for value in named.values() if not _here(value)]
    if missing:
        st.info(
            f"{plain(', '.join(missing))}: not on this machine yet, fetched when the job starts; how many known starts "
            "there are in each region is known then.",
            icon=":material/info:",
        )
        return True
    if genome_length(config.genome).bases > LARGEST_COUNTED:
        return True
    told = config.model_dump(mode="json", include={*named, *PARTS, "weight_genes", "weight_frames"})
    stamps = tuple(path.stat().st_mtime_ns for value in named.values() if (path := Path(value)).is_file())
    try:
        counts, regions = _counted(tuple(sorted((name, repr(value)) for name, value in told.items())), stamps, told)
    except DnalmError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return False
    said = [f"**{counts[part]:,}** in {WORDS[part]} regions ({plain(', '.join(regions[part]))})" for part in PARTS]
    st.markdown(f"Known starts: {'; '.join(said)}.")
    for part, lack in (("valid", "the threshold is left at 0.5"), ("test", "no figure is measured")):
        if not counts[part]:
            st.warning(f"No known start lies in {WORDS[part]} regions: {lack}.", icon=":material/warning:")
    return True


def _here(name: str) -> bool:
    try:
        return Path(name).is_file() or (name in catalog.load() and catalog.holding(name) is not None)
    except InputError:
        return False


@st.cache_data(max_entries=64, show_spinner="Counting the known starts in each region")
def _counted(
    key: tuple[tuple[str, str], ...], stamps: tuple[int, ...], _told: dict[str, Any]
) -> tuple[dict[str, int], dict[str, list[str]]]:
    """Known starts in each part, and its regions as texts."""
    data = TrackText.read(TrackTrainConfig(**_told)).data
    return dict(data["sites"]), dict(data["regions"])
