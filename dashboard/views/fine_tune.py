"""Fine-tune: choose a language model and a labelled set, see the schedule and what it will take, launch it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard import choices, estimates, launching
from dashboard.charts.schedule import schedule_alt, schedule_figure
from dashboard.charts.theme import look
from dashboard.form_fields import blank, from_address, merged
from dashboard.forms import Filled, filled
from dashboard.links import link
from dashboard.person import acting_user
from dashboard.views import train_track
from dnalm.training.config import FinetuneConfig, PretrainConfig, RunConfig, TrainConfig
from dnalm.training.estimate import Estimate
from dnalm.training.pretrain import DEFAULT_MINUTES
from dnalm.training.sizes import needs_making

KEY = "finetune"
MODELS, SETS = "ecoli-lm", "ecoli-sigma70-81"
TUNING_EPOCHS = 3
WITHIN = {f"pretrain.{name}" for name in ("name", "seed", "compute", "checkpoint_seconds")}


@dataclass(frozen=True)
class Work:
    """What can be launched here.

    Attributes:
        title: on the choice.
        sentence: what it does.
        kind: the configuration.
        main: fields shown at once.
        skip: fields without an input.
        command: how the shell calls it.
    """

    title: str
    sentence: str
    kind: type[FinetuneConfig] | type[TrainConfig]
    main: tuple[str, ...]
    skip: frozenset[str]
    command: tuple[str, ...]


_CLASSIFIER = frozenset({"name", "from_scratch", "pretrain"})
WORKS: dict[str, Work] = {
    "tune-and-classify": Work(
        "Fine-tune, then classify",
        "The language model first goes on reading, unlabelled, the sequences of your set; then a classifier learns the "
        "labels on top of it, its layers thawing one by one.",
        TrainConfig,
        ("model", "dataset", "head", "finetune_epochs", "epochs_frozen", "epochs"),
        _CLASSIFIER,
        ("dnalm", "train"),
    ),
    "classify": Work(
        "Classify only",
        "A classifier learns the labels on top of the language model as it is: the quickest way to a first result.",
        TrainConfig,
        ("model", "dataset", "head", "epochs_frozen", "epochs"),
        _CLASSIFIER | {"finetune_epochs"},
        ("dnalm", "train"),
    ),
    "tune": Work(
        "Fine-tune only",
        "The language model goes on reading the sequences of your set; labels are not used, and a language model comes "
        "out, on which several classifiers can be trained.",
        FinetuneConfig,
        ("model", "dataset", "epochs"),
        frozenset({"name"}),
        ("dnalm", "finetune"),
    ),
    "all": Work(
        "All three, from genomes",
        "A new language model is pre-trained on genomes, fine-tuned on the sequences of your set, and a classifier is "
        "trained on top of it: three phases in one job.",
        TrainConfig,
        ("dataset", "pretrain.genomes", "pretrain.preset", "pretrain.minutes", "finetune_epochs", "head"),
        frozenset({"name", "from_scratch", "model"}) | WITHIN,
        ("dnalm", "train"),
    ),
}
# The choice that has a form of its own.
TRACK = "track"
HEADS = {
    "ensemble": "ensemble (when in doubt)",
    "wide": "wide (quick to fit)",
    "aligned": "aligned (a known site)",
    "pool": "pool (any length)",
}
# What the head `wide`, which is solved for in one go, has no use for.
IN_STEPS = frozenset({"epochs_frozen", "epochs", "patience"})
OPTIONS = {
    **{"model": "--model", "dataset": "--dataset", "head": "--head", "epochs": "--epochs"},
    **{"finetune_epochs": "--finetune-epochs", "pretrain.preset": "--preset", "pretrain.minutes": "--minutes"},
}


def main() -> None:
    """Draw the page."""
    st.title("What shall the model learn to tell apart?")
    user = acting_user()
    name = _chosen_work()
    if name == TRACK:
        train_track.show(user)
        return
    work = WORKS[name]
    st.write(work.sentence)
    models, sets = choices.language_models(user), choices.labelled_sets(user)
    if not models and name != "all":
        _no_models()
        return
    titles, files = choices.genomes(user)
    values, problems = _from_the_address(name, work, models, sets, titles)
    choices.show_problems(problems)
    unused = IN_STEPS if values.get("head") == "wide" else frozenset()
    form: Filled[Any] = filled(
        work.kind,
        values,
        key=f"{KEY}:{name}",
        main=[field for field in work.main if field not in unused],
        skip=work.skip | unused,
        choices={"model": models, "dataset": sets, "pretrain.genomes": titles, "head": HEADS},
        address=True,
        always=("pretrain",) if name == "all" else (),
    )
    if form.config is None:
        st.info("Put right what is marked above; then the estimate stands here.", icon=":material/edit:")
        launching.launch(None, key=KEY, refused=True)
        return
    config = _with_files(form.config, files)
    found = _estimate(config)
    launching.launch(config, key=KEY, refused=found is not None and bool(found.refusals))
    st.subheader("At the shell", anchor=False)
    st.write("The same from the command line; add `--estimate` to see only what it will take:")
    words = [*work.command]
    for genome in form.config.pretrain.genomes if isinstance(form.config, TrainConfig) and form.config.pretrain else ():
        words += ["--genome", genome]
    st.code(launching.command(words, form.config, OPTIONS), language="bash", wrap_lines=True)


def _chosen_work() -> str:
    given = st.query_params.get("phases", "")
    titles = {**{one: work.title for one, work in WORKS.items()}, TRACK: train_track.TITLE}
    name = given if given in titles else next(iter(titles))
    choices.one_of(
        "What to do",
        titles,
        name,
        key=f"{KEY}:phases",
        on_change=lambda chosen: st.query_params.__setitem__("phases", chosen),
    )
    return name


def _no_models() -> None:
    st.info(
        "No language model is here yet to start from. Pre-train one on genomes, or choose above to do all three "
        "phases; at the shell:",
        icon=":material/model_training:",
    )
    st.code("dnalm pretrain ecoli-k12 --minutes 20\ndnalm train --preset small --dataset ecoli-promoters-150")
    link("pre-train", "Pre-train a language model", icon=":material/model_training:")


def _from_the_address(
    name: str, work: Work, models: dict[str, str], sets: dict[str, str], titles: dict[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """Every field's value: the address's, else a default that can be launched as it stands."""
    start: dict[str, Any] = {"dataset": _first(SETS, sets)}
    if name == "all":
        genome = _first("ecoli-k12", titles)
        start["pretrain"] = {"genomes": [genome], "minutes": DEFAULT_MINUTES}
    else:
        start["model"] = _first(MODELS, models)
    if name in ("all", "tune-and-classify"):
        start["finetune_epochs"] = TUNING_EPOCHS
    given, problems = from_address(work.kind, choices.query(), merged(blank(work.kind), start))
    for field, offered, what in (("model", models, "language model"), ("dataset", sets, "labelled set")):
        if field in given and field in work.main:
            problems += choices.unknown(what, [given[field]], offered)
            if given[field] not in offered:
                del given[field]
    within = given.get("pretrain")
    if name != "all":
        given.pop("pretrain", None)
    elif within and "genomes" in within:
        problems += choices.unknown("genome", within["genomes"], titles)
        within["genomes"] = [one for one in within["genomes"] if one in titles]
    for field in work.skip & given.keys():
        del given[field]
    if name == "all":
        start["pretrain"] = merged(blank(PretrainConfig), start["pretrain"])
        if within and any(within.get(budget) for budget in ("epochs", "steps")):
            start["pretrain"]["minutes"] = None
    return merged(start, given), problems


def _first(wanted: str, offered: dict[str, str]) -> str:
    return wanted if wanted in offered else next(iter(offered), "")


def _with_files(config: RunConfig, files: dict[str, str]) -> RunConfig:
    """The configuration as it is run: genomes by their files, and one seed and machine for all phases."""
    told = getattr(config, "pretrain", None)
    if told is None:
        return config
    named = [files.get(name, name) for name in told.genomes]
    shared = {"seed": config.seed, "compute": config.compute, "checkpoint_seconds": config.checkpoint_seconds}
    return config.model_copy(update={"pretrain": told.model_copy(update={"genomes": named, **shared})})


def _estimate(config: RunConfig) -> Estimate | None:
    """The estimate and the schedule; a set that has not been made yet is not made here."""
    dataset = getattr(config, "dataset", "")
    if needs_making(dataset):
        st.subheader("What it will take", anchor=False)
        st.info(
            f"{dataset} is made when the job starts, from public files; how many sequences it has, and with that the "
            "time, is known then. Make it now on the page Data to see both.",
            icon=":material/info:",
        )
        link("data", "Make it now", icon=":material/database:", query={"dataset": dataset})
        return None
    found = estimates.show(config)
    wide = getattr(config, "head", "") == "wide"
    if found is not None and found.stages:
        st.subheader("The schedule: how fast it learns, and which layers", anchor=False)
        st.plotly_chart(
            schedule_figure(found.stages, look()),
            theme=None,
            key=f"{KEY}:schedule",
            config={"displaylogo": False},
            alt=schedule_alt(found.stages),
        )
        st.caption(
            "Above, the learning rate of the top layer. Below, the layers that learn: the fainter, the more slowly; "
            "where there is no bar a layer is frozen."
            + ("" if wide else " With all layers it stops early when validation is no better.")
        )
    if found is not None and wide:
        st.caption("The head `wide` is fitted in one go on the frozen model: it has no schedule.")
    return found


main()
