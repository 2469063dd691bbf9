"""A list of variants, typed or from a VCF file: what each would do by itself."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import resources
from dashboard.editing import Editing
from dashboard.saying import plain
from dashboard.subject import Subject
from dashboard.turns import a_turn
from dashboard.views.mutation_more import download
from dnalm.alphabet import Codes, decode, encode
from dnalm.errors import InputError
from dnalm.interpret.edits import Edit, edited, parse_edits, vcf_edits
from dnalm.interpret.mutation import Mutations, probability_of
from dnalm.model.bundle import Bundle

MOST_VARIANTS = 5000
MOST_BASES = 500_000


def show(bundle: Bundle, editing: Editing, label: str | None) -> None:
    """A list of variants, as changes or VCF: what each would do by itself."""
    subject = editing.now
    region = subject.region
    where = "of the sequence" if region is None else f"of {region.record}, as {region} lies there, or of the sequence"
    text = st.text_area(
        "Variants: one change a line, such as -12T>A, or the lines of a VCF file",
        height=140,
        help=f"VCF positions are those {where}. They are not kept in the address.",
        key="mutation_variants",
        placeholder="-12T>A\n-7T>C",
    )
    file = st.file_uploader("VCF file", type=["vcf", "txt"], key="mutation_vcf", max_upload_size=5)
    if file is not None:
        text = file.getvalue().decode("utf-8", "replace")
    if not text.strip():
        st.info("Type or paste variants, or choose a VCF file.", icon=":material/list:")
        return
    listed, skipped = _listed(text, editing)
    if not listed and not skipped:
        st.info("No variant is in it.", icon=":material/list:")
        return
    if len(listed) * len(subject.codes) > MOST_BASES:
        most = MOST_BASES // len(subject.codes)
        raise InputError(
            f"{len(listed):,} variants of {len(subject.codes):,} bases; a page takes {most:,} of this length"
        )
    if len(listed) > MOST_VARIANTS:
        raise InputError(
            f"{len(listed):,} variants; a page takes {MOST_VARIANTS:,}: `dnalm explain mutate --vcf` takes all"
        )
    model = resources.model(bundle)
    kept: list[tuple[str, Edit]] = []
    sequences: list[Codes] = []
    refused = []
    for words, edit in listed:
        try:
            length = model.module.fixed_length
            sequences.append(edited(subject.codes, [edit], length=length, anchor=subject.anchor))
            kept.append((words, edit))
        except InputError as error:
            refused.append(f"{words}: {error}")
    for problem in [*skipped, *refused][:5]:
        st.warning(plain(problem), icon=":material/warning:")
    if len(skipped) + len(refused) > 5:
        st.warning(f"{len(skipped) + len(refused) - 5:,} more could not be used.", icon=":material/warning:")
    if not kept:
        return
    with a_turn():
        mutations = Mutations(model, subject.codes, label=label)
        after = mutations.of_any(sequences)
    frame = pd.DataFrame(
        {
            "variant": [words for words, _ in kept],
            "change": [edit.written(subject.anchor) for _, edit in kept],
            "probability": probability_of(after),
            "delta": probability_of(after) - probability_of(np.float64(mutations.reference)),
            "delta_log_odds": after - mutations.reference,
        }
    ).sort_values("delta_log_odds", kind="stable")
    st.dataframe(
        frame,
        hide_index=True,
        column_config={
            "variant": "Variant",
            "change": "Change",
            "probability": st.column_config.ProgressColumn("Probability", format="%.3f", min_value=0, max_value=1),
            "delta": st.column_config.NumberColumn("Change in probability", format="%+.3f"),
            "delta_log_odds": st.column_config.NumberColumn("in log-odds", format="%+.3f"),
        },
    )
    download(frame, f"variants.{bundle.name}.tsv")


def _listed(text: str, editing: Editing) -> tuple[list[tuple[str, Edit]], list[str]]:
    """The variants of a text as changes of the sequence, and a sentence for each that is none or lies elsewhere."""
    subject = editing.now
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found: list[tuple[str, Edit]] = []
    skipped: list[str] = []
    if not (lines and len(lines[0].split()) >= 5 and lines[0].split()[1].isdigit()):
        for word in re.split(r"[,;\s]+", " ".join(lines).strip()):
            try:
                found += [(one.written(subject.anchor), one) for one in parse_edits(word, subject.anchor)]
            except InputError as error:
                skipped.append(str(error))
        return found, skipped
    if editing.original.region is not None and editing.moved:
        raise InputError(
            "your changes moved the bases along: take back insertions and deletions to place a VCF's variants"
        )
    for one in vcf_edits(text, "the VCF"):
        words = f"{one.record}:{one.edit.position + 1} {one.edit.ref}>{one.edit.alt}"
        words += f" {one.id}" if one.id != "." else ""
        edit = _placed(one.record, one.edit, subject)
        if edit is None:
            skipped.append(f"{words} does not lie in the sequence")
        else:
            found.append((words, edit))
    return found, skipped


def _placed(record: str, edit: Edit, subject: Subject) -> Edit | None:
    """A variant of the genome as one of the sequence, complemented where that is read from the other strand."""
    region = subject.region
    if region is None:
        return edit if edit.position + len(edit.ref) <= len(subject.codes) else None
    if region.record != record or edit.position < region.start or edit.position + len(edit.ref) > region.end:
        return None
    if region.strand == "+":
        return Edit(edit.position - region.start, edit.ref, edit.alt)
    turned = [decode((3 - encode(text))[::-1]) for text in (edit.ref, edit.alt)]
    return Edit(region.end - edit.position - len(edit.ref), *turned)
