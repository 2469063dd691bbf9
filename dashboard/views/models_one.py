"""One model: where it came from, its figures, its card, what to do with it, and what its owner may change."""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path

import streamlit as st

from dashboard.figures import all_figures, headline, measured_on
from dashboard.links import link
from dashboard.saying import attempt, confirm_delete, plain, refused, say_refusal, say_what_was_done
from dashboard.views.models_parts import (
    MEANINGS,
    back,
    bundle_of,
    card_text,
    lineage_picture,
    open_model,
    show_all,
    size_text,
    whose,
)
from dnalm.errors import DnalmError
from dnalm.lab import index
from dnalm.lab.indexed import IndexedModel
from dnalm.lab.people import User
from dnalm.model.bundle import Bundle
from dnalm.settings import settings

LONGEST_CARD = 200_000
_ASKED = "models_delete_asked"
_REFUSED = "models_delete_refused"


def show(user: User, model: IndexedModel) -> None:
    """Draw one model's page."""
    st.title(f"What is {plain(model.name)}, and how good is it?")
    say_what_was_done()
    back()
    try:
        bundle = bundle_of(model)
    except DnalmError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    st.write(plain(model.description) or "It has no description.")
    st.caption(plain(_facts(user, model, bundle)))
    lineage_picture(index.lineage(user, model.id), focus=model.id)
    _figures(bundle)
    _onward(user, model, bundle)
    with st.expander("Model card", expanded=True, icon=":material/description:"):
        # Markdown without HTML: Streamlit shows tags as text.
        st.markdown(card_text(bundle.card[:LONGEST_CARD]) or "This model has no card.")
    _manage(user, model)


def _facts(user: User, model: IndexedModel, bundle: Bundle) -> str:
    config = bundle.config
    parts = [MEANINGS[model.stage]]
    if config.kind != "language-model":
        two = len(config.labels) == 2
        parts.append(f"tells {' from '.join(config.labels)}" if two else f"tells {len(config.labels)} classes apart")
    parts += [f"reads windows of {config.window:,} bases"] if config.window else []
    parts += [size_text(model.size_bytes), f"made {model.created:%d %B %Y}", whose(model, user.id)]
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _figures(bundle: Bundle) -> None:
    st.subheader("How good is it?", anchor=False)
    found = all_figures(bundle.metrics)
    if not found:
        st.info(
            "It holds no figures. `dnalm evaluate` measures it on sequences that it has not seen.",
            icon=":material/info:",
        )
        return
    for figure in headline(bundle.metrics):
        where = measured_on(bundle.metrics, figure)
        st.write(f"**{figure.title}: {figure}**" + (f", {plain(where)}" if where else ""))
    rows = [
        {
            "Figure": figure.title,
            "Value": figure.value,
            "Low (95 %)": figure.low,
            "High (95 %)": figure.high,
            "n": figure.n,
            "Measured on": measured_on(bundle.metrics, figure),
        }
        for figure in found
    ]
    with st.expander("All figures", icon=":material/table:"):
        st.dataframe(rows, hide_index=True, alt=f"All figures of {bundle.folder.name} with their 95 % intervals")


def _onward(user: User, model: IndexedModel, bundle: Bundle) -> None:
    st.subheader("What next?", anchor=False)
    config, query = bundle.config, {"model": model.name}
    with st.container(horizontal=True):
        if config.kind != "language-model":
            if config.window and config.positive:
                link("long-sequences", "Scan a long sequence with it", icon=":material/monitoring:", query=query)
        else:
            link("fine-tune", "Teach it to classify", icon=":material/tune:", query=query)
        st.download_button(
            "Export (zip)",
            lambda: _archive(user, model),
            file_name=f"{model.name}.zip",
            mime="application/zip",
            key="models_export",
            icon=":material/download:",
            help="Weights, settings, figures and card, to send or keep; it can be imported elsewhere.",
        )
        if model.run and (run := next((run for run in index.runs(user) if run.name == model.run), None)) and run.job:
            link("jobs", "The job that made it", icon=":material/list_alt:", query={"job": run.job})
    name = shlex.quote(model.name)
    if config.kind == "track":
        st.code(f"dnalm scan {name} genome.fna.gz -o scan.bw", language="bash")
    elif config.kind == "classifier":
        st.code(f"dnalm predict {name} sequences.fasta\ndnalm evaluate {name} labelled.tsv", language="bash")
    else:
        st.code(f"dnalm train --model {name} --dataset DATASET\ndnalm evaluate {name} genome.fna.gz", language="bash")


def _archive(user: User, model: IndexedModel) -> bytes:
    settings().cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings().cache, prefix="export-") as folder:
        return index.export_model(user, model.id, Path(folder) / "model.zip").read_bytes()


def _manage(user: User, model: IndexedModel) -> None:
    """What its owner may change."""
    if model.shipped:
        st.caption("It comes with dnalm and cannot be changed; export it, and import it under another name.")
        return
    if not user.is_admin and model.owner != user.id:
        st.caption(plain(f"It is {model.owner_name}'s: only they or an admin may change it."))
        return
    st.subheader("Change it", anchor=False)
    with st.form("models_change"):
        name = st.text_input(
            "Name", value=model.name, key=f"models_name_{model.id}", help="Letters, digits, dot, dash and underscore."
        )
        text = st.text_input("Description", value=model.description, key=f"models_description_{model.id}")
        if st.form_submit_button("Save", icon=":material/save:"):
            attempt(lambda: _save(user, model, name.strip(), text.strip()), "Saved.")
            st.rerun()
    st.toggle(
        "Shared with the lab",
        value=model.shared,
        key=f"models_share_{model.id}",
        on_change=_share,
        args=(user, model),
        help="Off: only its owner and admins see it.",
    )
    _delete(user, model)


def _save(user: User, model: IndexedModel, name: str, description: str) -> None:
    if description != model.description:
        index.describe_model(user, model.id, description)
    if name != model.name:
        open_model(index.rename_model(user, model.id, name).name)


def _share(user: User, model: IndexedModel) -> None:
    shared = bool(st.session_state[f"models_share_{model.id}"])
    done = "The lab can see it now." if shared else "Only you and admins can see it now."
    attempt(lambda: index.share_model(user, model.id, shared), done)


def _delete(user: User, model: IndexedModel) -> None:
    """Ask first; what others came from is refused before anything is asked."""
    if st.session_state.get(_ASKED) != model.id:
        st.button("Delete…", key="models_delete", icon=":material/delete:", on_click=_ask, args=(user, model))
        say_refusal(_REFUSED)
        return
    kept = " The run that made it keeps its own copy." if model.run else " It cannot be brought back."
    question = f"Delete {model.name}, {size_text(model.size_bytes)}, for everyone?{kept}"
    confirm_delete(question, model.name, key="models_delete", delete=lambda: _really_delete(user, model), keep=_forget)


def _ask(user: User, model: IndexedModel) -> None:
    if refused(lambda: index.check_deletable(user, model.id), here=_REFUSED):
        return
    st.session_state[_ASKED] = model.id


def _really_delete(user: User, model: IndexedModel) -> None:
    _forget()
    if attempt(lambda: index.delete_model(user, model.id), f"{model.name} was deleted."):
        show_all()


def _forget() -> None:
    st.session_state.pop(_ASKED, None)
