"""Pre-train: choose genomes and sizes, see what it will take, launch it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard import choices, estimates, launching
from dashboard.charts.schedule import schedule_alt, schedule_figure
from dashboard.charts.theme import look
from dashboard.charts.tokens import tokens_html, tokens_sentence
from dashboard.form_fields import blank, from_address, merged
from dashboard.forms import filled
from dashboard.person import acting_user
from dnalm.training.config import PretrainConfig
from dnalm.training.estimate import Estimate
from dnalm.training.pretrain import DEFAULT_MINUTES

KEY = "pretrain"
DEFAULT_GENOME = "ecoli-k12"
BUDGETS: dict[str, tuple[str, float]] = {
    "minutes": ("Minutes", DEFAULT_MINUTES),
    "epochs": ("Passes over the text", 3.0),
    "steps": ("Training steps", 10_000),
}
OPTIONS = {"preset": "--preset", "minutes": "--minutes", "epochs": "--epochs", "steps": "--steps"}


def main() -> None:
    """Draw the page."""
    st.title("Which genomes shall the language model learn from?")
    st.write(
        "Pre-training reads genomes without labels and learns what follows what in DNA. A classifier that starts from "
        "such a model needs far fewer labelled sequences."
    )
    titles, files = choices.genomes(acting_user())
    values, problems = _from_the_address(titles)
    choices.show_problems(problems)
    budget = _budget(values)
    base = _preset(values)
    form = filled(
        PretrainConfig,
        merged({"encoder": base}, values),
        key=KEY,
        main=["genomes", "preset", budget, "encoder.k", "encoder.stride"],
        skip={"name", *BUDGETS},
        choices={"genomes": titles},
        bases={"encoder": base},
        address=True,
        between=_words,
    )
    if form.config is None:
        st.info("Put right what is marked above; then the estimate stands here.", icon=":material/edit:")
        launching.launch(None, key=KEY, refused=True)
        return
    config = form.config.model_copy(update={"genomes": [files.get(name, name) for name in form.config.genomes]})
    found = estimates.show(config)
    launching.launch(config, key=KEY, refused=found is None or bool(found.refusals))
    if found is not None:
        _schedule(found)
    st.subheader("At the shell", anchor=False)
    st.write("The same from the command line; add `--estimate` to see only what it will take:")
    st.code(
        launching.command(["dnalm", "pretrain", *form.config.genomes], form.config, OPTIONS),
        language="bash",
        wrap_lines=True,
    )


def _from_the_address(titles: dict[str, str]) -> tuple[dict[str, Any], list[str]]:
    """The fields that the address gives, with a genome to begin with."""
    query = choices.query()
    start = DEFAULT_GENOME if DEFAULT_GENOME in titles else next(iter(titles), "")
    values, problems = from_address(PretrainConfig, query, {**blank(PretrainConfig), "genomes": [start], "encoder": {}})
    wanted = values.get("genomes", [] if "genomes" in query else [start])
    problems += choices.unknown("genome", wanted, titles)
    values["genomes"] = [name for name in wanted if name in titles]
    given = [name for name in BUDGETS if values.get(name) is not None]
    for name in given[1:]:
        problems.append(f"The address gives the budget twice, as {given[0]} and {name}; {given[0]} is taken.")
        del values[name]
    return values, problems


def _budget(values: dict[str, Any]) -> str:
    """The field in which the budget is given; it is filled in."""
    given = next((name for name in BUDGETS if values.get(name) is not None), "minutes")
    choices.one_of(
        "Budget in",
        {name: title for name, (title, _) in BUDGETS.items()},
        given,
        key=f"{KEY}:budget",
        on_change=_take_budget,
        help="Time on the clock, or how often the text is read.",
    )
    values.setdefault(given, BUDGETS[given][1])
    return given


def _take_budget(chosen: str) -> None:
    for name in BUDGETS:
        st.query_params.pop(name, None)
        st.session_state.pop(f"{KEY}:{name}", None)
    st.query_params[chosen] = f"{BUDGETS[chosen][1]:g}"


def _preset(values: dict[str, Any]) -> dict[str, Any]:
    """The sizes that the preset stands for."""
    told = {name: values[name] for name in ("preset", "dropout") if values.get(name) is not None}
    return PretrainConfig(genomes=["any"], **told).resolved_encoder().model_dump()


def _words(held: dict[str, Any]) -> None:
    """What k and stride mean."""
    from dnalm.tokenizer import KmerTokenizer

    tokenizer = KmerTokenizer(held["encoder.k"], held["encoder.stride"])
    left, right = st.columns([3, 2])
    left.write(tokens_sentence(tokenizer))
    with right:
        st.html(tokens_html(tokenizer, look()))


def _schedule(found: Estimate) -> None:
    if not found.stages:
        return
    with st.expander("The schedule: how fast it learns when", icon=":material/show_chart:"):
        st.plotly_chart(
            schedule_figure(found.stages, look()),
            theme=None,
            key=f"{KEY}:schedule",
            config={"displaylogo": False},
            alt=schedule_alt(found.stages),
        )


main()
