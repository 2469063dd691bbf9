"""A person's own files: received, looked at, and made into a labelled set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard import background, labelled_uploads, sets, upload_reading, uploads
from dashboard.labelled_uploads import KIND_NAMES, LARGEST_FILE, LabelledUpload, Preview
from dashboard.saying import plain
from dashboard.views import data_files, data_parts
from dashboard.views.data_set import SPLIT_HELP, SPLITS
from dnalm.datasets.files import check_name
from dnalm.datasets.recipes import RECIPES
from dnalm.errors import DnalmError, InputError
from dnalm.lab.people import User
from dnalm.lab.usage import refuse_over_quota
from dnalm.sequences.table import TableColumns

FOUND = "found by itself"
LARGEST_SEED = 10**6
DEPENDING = ("sequence", "label", "id", "positive", "first", "second", "name")


def show(user: User) -> None:
    """Draw the uploader; below it what the files hold, and the form that makes a set of them."""
    _receive(user)
    if name := st.session_state.pop("data_kept_now", None):
        st.success(
            f"{plain(name)} is kept, for you alone until you share it. Scan it, or pre-train on it, below.",
            icon=":material/check_circle:",
        )
        return
    keys = [key for key in st.query_params.get("upload", "").split(",") if key]
    if not keys:
        st.info(
            "Upload one table with a column of sequences and a column of labels (CSV or TSV), or two FASTA or GenBank "
            "files, one for each label; or one alone, as a genome without labels. You will see what is in them, and "
            "what would be left out and why, before anything is made.",
            icon=":material/upload:",
        )
        st.code("id,sequence,label\nsite1,ACGTTGCAAC...,enhancer\nsite2,GGATCCTTAG...,other", language=None)
        data_files.table(user.id)
        return
    try:
        if len(keys) > 2:
            raise InputError(f"The address names {len(keys)} files; a set is made of one table or two FASTA files.")
        kept = tuple(labelled_uploads.find(key, user.id) for key in keys)
    except DnalmError as error:
        st.error(str(error), icon=":material/error:")
        return
    try:
        _files(user, kept)
    except DnalmError as error:
        st.error(str(error), icon=":material/error:")
    data_files.delete_button(user.id, kept)


def _receive(user: User) -> None:
    files = st.file_uploader(
        "One table, two FASTA or GenBank files, or one genome; plain or compressed",
        accept_multiple_files=True,
        key="data_upload",
        max_upload_size=LARGEST_FILE >> 20,
        help="They are kept on the server that runs this page, for you alone, until a set is made of them or room is "
        f"needed. At most {LARGEST_FILE >> 20} MB each, {labelled_uploads.LARGEST_TEXT >> 20} MB unpacked, "
        f"{labelled_uploads.MOST_RECORDS:,} sequences.",
    )
    # A file that was dealt with stays in the widget; what the address says since then has the last word.
    ids = [file.file_id for file in files]
    if not files or st.session_state.get("data_upload_done") == ids:
        return
    st.session_state["data_upload_done"] = ids
    if len(files) > 2:
        st.error(f"{len(files)} files were given; a set is made of one table or two FASTA files.")
        return
    try:
        refuse_over_quota(user)
        with st.spinner("Checking what came"):
            kept = [labelled_uploads.keep(file, file.name, user.id) for file in files]
    except DnalmError as error:
        st.error(str(error), icon=":material/error:")
        return
    for name in DEPENDING:
        st.query_params.pop(name, None)
    st.query_params["upload"] = ",".join(upload.key for upload in kept)
    st.rerun()


def _files(user: User, kept: tuple[LabelledUpload, ...]) -> None:
    if len(kept) == 2:
        _two_files(user, kept)
    elif kept[0].kind == "table":
        _table(user, kept[0])
    else:
        _unlabelled(user, kept[0])


def _table(user: User, upload: LabelledUpload) -> None:
    columns = labelled_uploads.columns_of(upload)
    st.subheader(f"Which columns of {upload.name} hold what?", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = tuple(_column(words, name, columns) for words, name in _COLUMNS)
    copies = _copies()
    shown = _read(user, (upload,), columns=chosen, drop_copies=copies)
    if shown is None:
        return
    _preview(shown)
    options = [f"--{name}={value}" for (_, name), value in zip(_COLUMNS, chosen, strict=True) if value]
    if len(shown.labels) < 2:
        st.warning("All sequences have one label; two at least are wanted. Choose another column.")
        return
    if len(shown.labels) == 2:
        positive = _positive(list(shown.labels), shown.positive)
        if positive is None:
            st.info("Choose the positive label to go on.", icon=":material/touch_app:")
            return
        options.append(f"--positive={positive}")
    _form(user, (upload,), shown, options, copies)


_COLUMNS = (("Sequences", "sequence"), ("Labels", "label"), ("Names (optional)", "id"))


def _column(words: str, name: str, columns: TableColumns) -> str | None:
    """The column that the person names, or None where the one found by itself is meant."""
    found = getattr(columns, name)
    value = data_parts.chosen(name, columns.names, found or "")
    nothing = [] if found else [""]
    data = data_parts.bound(name, value, default=found or "")
    empty = "none" if name == "id" else "choose a column"
    st.selectbox(words, [*nothing, *columns.names], format_func=lambda text: text or empty, width=230, **data)
    return value or None


def _positive(labels: list[str], guessed: str | None) -> str | None:
    """The label that the person names, or that its name says; None where neither is so."""
    value = data_parts.chosen("positive", labels, guessed or "") or None
    st.radio(
        "Which label is the positive one, whose probability a model gives?",
        labels,
        horizontal=True,
        **data_parts.bound("positive", value, default=guessed or ""),
    )
    return value


def _two_files(user: User, kept: tuple[LabelledUpload, ...]) -> None:
    keys = [upload.key for upload in kept]
    names = {upload.key: upload.name for upload in kept}
    st.subheader("Which file is which?", anchor=False)
    positives = data_parts.chosen("positive", keys, keys[0])
    st.radio(
        "Which file holds the positive sequences, whose probability a model gives?",
        keys,
        format_func=names.get,
        horizontal=True,
        **data_parts.bound("positive", positives, default=keys[0]),
    )
    ordered = kept if positives == keys[0] else kept[::-1]
    labels = []
    with st.container(horizontal=True):
        for parameter, upload, usual in zip(("first", "second"), ordered, ("positive", "negative"), strict=True):
            value = st.query_params.get(parameter, usual).strip()
            st.text_input(
                f"Label of {upload.name}",
                width=280,
                max_chars=40,
                **data_parts.bound(parameter, value, default=usual),
            )
            labels.append(value)
    if "," in "".join(labels):
        raise InputError("A label here holds no comma: write it without.")
    copies = _copies()
    shown = _read(user, ordered, labels=(labels[0], labels[1]), drop_copies=copies)
    if shown is None:
        return
    _preview(shown)
    _form(user, ordered, shown, [f"--labels={labels[0]},{labels[1]}"], copies)


def _copies() -> bool:
    keep = data_parts.chosen("copies", ("keep", "drop"), "drop")
    st.radio(
        "Copies of a sequence, on either strand, and sequences that stand under two labels",
        ("drop", "keep"),
        format_func={"drop": "Leave them out", "keep": "Keep them"}.get,
        horizontal=True,
        **data_parts.bound("copies", keep, default="drop"),
    )
    return keep == "drop"


def _read(user: User, files: tuple[LabelledUpload, ...], **options: Any) -> Preview | None:
    """What the files hold; None while they are being read, which is shown."""
    found = upload_reading.preview(user, files, **options)
    if isinstance(found, Preview):
        return found
    if found.under_way:
        data_parts.follow(found)
    else:
        st.info("Reading was cancelled.", icon=":material/info:")
        st.button("Read again", icon=":material/refresh:", on_click=background.forget, args=(found.key,))
    return None


def _preview(shown: Preview) -> None:
    """What the files hold, what is left out and why, and the first sequences."""
    st.subheader("What is in it?", anchor=False)
    spread = (
        f"{shown.shortest:,} bases each"
        if shown.shortest == shown.longest
        else (f"{shown.shortest:,} to {shown.longest:,} bases")
    )
    counts = ", ".join(f"{number:,} {label}" for label, number in list(shown.labels.items())[:12])
    more = f" and {len(shown.labels) - 12} labels more" if len(shown.labels) > 12 else ""
    labels = f": {counts}{more}." if counts else "."
    st.text(f"{shown.kept:,} of {shown.read:,} sequences can be used, {spread}{labels}")
    for note in shown.notes:
        st.text(note)
    if shown.dropped:
        st.write("Left out:")
        st.dataframe(
            [
                {"How many": number, "Why": reason, "The first": shown.examples.get(reason, "")}
                for reason, number in shown.dropped.items()
            ],
            key="data_dropped",
            hide_index=True,
        )
    many = len(shown.first) < shown.kept
    st.write(f"The first {len(shown.first)} sequences:" if many else "The sequences:")
    st.dataframe(
        shown.first,
        key="data_first",
        hide_index=True,
        column_config={
            "Bases": st.column_config.NumberColumn(format="localized"),
            "GC (%)": st.column_config.NumberColumn(format="%.1f"),
        },
    )


def _form(user: User, kept: Sequence[LabelledUpload], shown: Preview, options: list[str], drop_copies: bool) -> None:
    st.subheader("How shall the set be called, and how split?", anchor=False)
    usual = _usual_name(kept[0].name)
    name = st.query_params.get("name", usual)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Name of the set",
            width=320,
            max_chars=64,
            help="Letters, digits, dots, hyphens and underscores. Commands and addresses call it so.",
            **data_parts.bound("name", name, default=usual),
        )
        split = data_parts.chosen("split", list(SPLITS), "grouped")
        st.segmented_control(
            "Split",
            list(SPLITS),
            format_func=SPLITS.get,
            required=True,
            help=SPLIT_HELP,
            **data_parts.bound("split", split, default="grouped"),
        )
    with st.expander("Advanced: sizes of the parts, seed", icon=":material/tune:"):
        valid = data_parts.number("valid", "The part for validation (%)", 10, 1, 40)
        test = data_parts.number("test", "The part for the test (%)", 15, 1, 60)
        seed = int(data_parts.number("seed", "The seed", 0, 0, LARGEST_SEED, whole=True))
        st.slider("For validation (%)", 1.0, 40.0, step=1.0, **data_parts.bound("valid", valid, default="10.0"))
        st.slider("For the test (%)", 1.0, 60.0, step=1.0, **data_parts.bound("test", test, default="15.0"))
        # Without bounds: beyond them the browser would show what was typed and send what was there before.
        st.number_input(
            f"Seed (0 to {LARGEST_SEED:,}): the same one gives the same split",
            step=1,
            **data_parts.bound("seed", seed, default="0"),
        )
    words = [*options, f"--split={split}", f"--seed={seed}", f"--valid={valid / 100:g}", f"--test={test / 100:g}"]
    words += ["--drop-unusable", *(["--drop-copies"] if drop_copies else [])]
    st.button(
        f"Make the set of {shown.kept:,} sequences",
        key="data_make_own",
        type="primary",
        icon=":material/play_arrow:",
        on_click=_make,
        args=(user, name, tuple(kept), words),
    )
    if refused := st.session_state.pop("data_make_refused", None):
        st.error(refused, icon=":material/error:")
    data_parts.outcome(background.find(sets.MAKING + name))


def _usual_name(file: str) -> str:
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", file.split(".")[0]).strip("-_").lower()[:40] or "mine"
    return f"my-{stem}" if any(stem.startswith(recipe) for recipe in RECIPES) else stem


def _make(user: User, name: str, kept: Sequence[LabelledUpload], options: Sequence[str]) -> None:
    try:
        check_name(name)
        sets.make_own(user, name, kept, options=options)
    except DnalmError as error:
        st.session_state["data_make_refused"] = str(error)
        return
    data_parts.go_to(dataset=name)


def _unlabelled(user: User, upload: LabelledUpload) -> None:
    """One FASTA or GenBank file: no labels, so a sequence to scan or to pre-train on."""
    st.subheader(f"{upload.name} is {KIND_NAMES[upload.kind]}, which has no labels", anchor=False)
    st.write(
        "To make a labelled set, upload it together with a second file, one for each label. As it is, it can be "
        "scanned with a model, or pre-trained on."
    )
    shown = _read(user, (upload,), drop_copies=False)
    if shown is None:
        return
    _preview(shown)
    st.button(
        "Keep it as a sequence",
        key="data_keep",
        icon=":material/save:",
        on_click=_keep_sequence,
        args=(user, upload),
    )
    if refused := st.session_state.pop("data_keep_refused", None):
        st.error(refused, icon=":material/error:")


def _keep_sequence(user: User, upload: LabelledUpload) -> None:
    try:
        kept = uploads.keep(user, upload.path.read_bytes(), upload.name)
    except DnalmError as error:
        st.session_state["data_keep_refused"] = str(error)
        return
    # It is among the kept ones from here on: a second copy would only count against what the person may have.
    labelled_uploads.forget(upload.key, user.id)
    st.query_params.pop("upload", None)
    st.query_params["kept"] = kept.key
    st.session_state["data_kept_now"] = kept.name
