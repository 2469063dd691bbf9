"""Forms made from the configurations: every field there and back, mistakes at their field, the address as the state."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.form_fields import from_address, leaves, to_address
from dnalm.model.config import PRESETS
from dnalm.training.config import FinetuneConfig, PretrainConfig, TrainConfig

COMPUTE = {"accelerator": "cpu", "devices": 2, "precision": "32-true", "threads": 3}
OPTIMIZER = {"learning_rate": 0.002, "weight_decay": 0.2, "clip": 0.5, "warmup": 0.25, "beta2": 0.9}
COMMON = {"name": "mine-1", "seed": 7, "compute": COMPUTE, "checkpoint_seconds": 12.5, "optimizer": OPTIMIZER}
ENCODER = {
    **{"k": 3, "stride": 1, "embedding": 32, "hidden": 128, "layers": 2, "tied": True},
    **{"embedding_dropout": 0.1, "input_dropout": 0.2, "hidden_dropout": 0.3},
    **{"weight_dropout": 0.4, "output_dropout": 0.5},
}
# Nothing here has its default.
PRETRAIN = {
    **COMMON,
    **{"genomes": ["a.fna", "b.gbk"], "preset": "seed", "encoder": ENCODER, "head": "continuation", "dropout": 0.5},
    **{"held_out": 0.2, "exclude": ["NC:1-2,000"], "exclude_matches": "a-set", "both_strands": False},
    **{"minutes": 12.5, "lanes": 16, "tokens": 32, "validate_every": 100},
    **{"activation_penalty": 2.0, "temporal_penalty": 1.0},
}
FINETUNE = {
    **COMMON,
    **{"model": "a-lm", "dataset": "a-set", "dropout": 0.1, "epochs": 9, "batch_size": 8, "both_strands": False},
}
TRAIN = {
    **COMMON,
    **{"dataset": "a-set", "pretrain": PRETRAIN, "finetune_epochs": 2, "head": "pool", "both_strands": False},
    **{"reverse_complement_augmentation": True, "dropout": 0.1, "epochs_frozen": 1, "epochs": 3, "patience": 2},
    **{"batch_size": 8, "discrimination": 2.0, "label_smoothing": 0.1, "class_weights": True, "train_limit": 50},
    **{"threshold_by": "f1"},
}
FULL = [
    (PretrainConfig, PRETRAIN),
    (PretrainConfig, {**PRETRAIN, "minutes": None, "epochs": 1.5, "held_out": 0.1, "held_out_records": ["r1", "r 2"]}),
    (PretrainConfig, {**PRETRAIN, "minutes": None, "steps": 10, "optimizer": {"learning_rate": "find"}}),
    (FinetuneConfig, FINETUNE),
    (TrainConfig, TRAIN),
    (TrainConfig, {**TRAIN, "pretrain": None, "model": "a-lm"}),
    (TrainConfig, {**TRAIN, "pretrain": None, "from_scratch": True}),
]
LEAST = {
    PretrainConfig: {"genomes": ["a.fna"]},
    FinetuneConfig: {"model": "a-lm", "dataset": "a-set"},
    TrainConfig: {"dataset": "a-set"},
}


def page():
    """The script under test: a form of what the session's state says."""
    import streamlit as st

    from dashboard.forms import filled

    told = st.session_state["told"]
    st.session_state["filled"] = filled(key="f", **told)


def drawn(kind, values, main=(), **more):
    app = AppTest.from_function(page, default_timeout=30)
    app.session_state["told"] = {"kind": kind, "values": values, "main": list(main), **more}
    app.run()
    assert not app.exception, app.exception[0].message
    return app


def filled(app):
    return app.session_state["filled"]


@pytest.mark.parametrize(("kind", "values"), FULL, ids=lambda value: getattr(value, "__name__", ""))
def test_every_field_goes_into_the_form_and_comes_back(kind, values):
    config = kind.model_validate(values)
    given = config.model_dump()
    app = drawn(kind, given)
    assert not app.error
    assert filled(app).config == config
    # And once more, from what the form itself holds.
    assert filled(drawn(kind, filled(app).config.model_dump())).config == config


@pytest.mark.parametrize("kind", LEAST)
def test_a_form_that_nobody_touched_gives_the_defaults(kind):
    app = drawn(kind, LEAST[kind])
    assert filled(app).config == kind.model_validate(LEAST[kind])


@pytest.mark.parametrize("kind", LEAST)
def test_every_field_has_a_named_input_with_help_and_the_shells_name(kind):
    full = {"encoder": ENCODER} if kind is PretrainConfig else {"pretrain": PRETRAIN} if kind is TrainConfig else {}
    app = drawn(kind, {**LEAST[kind], **full})
    inputs = [*app.number_input, *app.text_input, *app.text_area, *app.selectbox, *app.checkbox]
    by_key = {one.key: one for one in inputs}
    for one in leaves(kind):
        shown = by_key[f"f:{one.path}"]
        assert shown.label.strip()
        assert f"--set {one.path}=" in shown.help
        assert len(one.info.description or "") > 8, f"{one.path} has no help"


def test_units_and_bounds_stand_at_the_input():
    app = drawn(PretrainConfig, LEAST[PretrainConfig], main=["minutes"])
    assert app.number_input(key="f:minutes").label == "Budget (minutes)"
    warmup = app.number_input(key="f:optimizer.warmup")
    # No bounds: beyond them a browser shows what was typed and sends what was there before.
    assert (warmup.min, warmup.max) == (None, None)
    assert "More than 0, less than 1." in warmup.help
    assert "More than 0." in app.number_input(key="f:minutes").help
    assert "4096" in app.number_input(key="f:lanes").help


def test_what_a_person_types_reaches_the_configuration():
    app = drawn(PretrainConfig, LEAST[PretrainConfig])
    app.text_area(key="f:genomes").set_value("one.fna\n\n two.fna ")
    app.selectbox(key="f:preset").set_value("seed")
    app.selectbox(key="f:head").set_value("vocabulary")
    app.number_input(key="f:steps").set_value(30)
    app.checkbox(key="f:both_strands").uncheck()
    app.text_input(key="f:optimizer.learning_rate").set_value("find")
    app.number_input(key="f:compute.threads").set_value(2)
    app.run()
    config = filled(app).config
    assert config.genomes == ["one.fna", "two.fna"]
    assert (config.preset, config.head, config.steps, config.both_strands) == ("seed", "vocabulary", 30, False)
    assert (config.optimizer.learning_rate, config.compute.threads) == ("find", 2)


def test_a_mistake_is_said_at_its_field_in_the_shells_words():
    app = drawn(PretrainConfig, {**LEAST[PretrainConfig], "name": "not a name"}, main=["name"])
    assert filled(app).config is None
    (error,) = app.error
    assert error.value.startswith("field name: a name begins with a letter or digit")
    assert error.value.endswith("(found 'not a name')")
    app.text_input(key="f:name").set_value("a-name").run()
    assert not app.error
    app.text_input(key="f:optimizer.learning_rate").set_value("fast").run()
    assert list(filled(app).problems) == ["optimizer.learning_rate"]
    app.text_input(key="f:optimizer.learning_rate").set_value("0.01").run()
    app.number_input(key="f:minutes").set_value(1.0)
    app.number_input(key="f:epochs").set_value(1.0).run()
    assert app.error[0].value == "the budget is given twice, as minutes and epochs; give one"


def test_a_required_field_left_empty_is_named():
    app = drawn(FinetuneConfig, {"dataset": "a-set"}, main=["model"], choices={"model": {"a-lm": "a-lm (shipped)"}})
    assert "field model" in app.error[0].value
    app.selectbox(key="f:model").set_value("a-lm").run()
    assert filled(app).config.model == "a-lm"


def test_sizes_like_the_presets_stay_the_presets():
    base = PRESETS["small"].model_dump()
    app = drawn(PretrainConfig, LEAST[PretrainConfig], main=["encoder.k"], bases={"encoder": base})
    assert app.number_input(key="f:encoder.k").value == 4
    assert filled(app).config.encoder is None
    app.number_input(key="f:encoder.k").set_value(5).run()
    assert filled(app).config.encoder == PRESETS["small"].model_copy(update={"k": 5})
    app.number_input(key="f:encoder.k").set_value(4).run()
    assert filled(app).config.encoder is None


def test_the_address_keeps_what_differs_from_the_defaults():
    app = drawn(PretrainConfig, LEAST[PretrainConfig], address=True)
    app.number_input(key="f:lanes").set_value(16).run()
    app.checkbox(key="f:both_strands").uncheck().run()
    assert app.query_params["lanes"] == "16"
    assert app.query_params["both_strands"] == "false"
    assert app.number_input(key="f:lanes").value == 32  # the page that owns the address reads it, and says 16
    app.number_input(key="f:lanes").set_value(32).run()


@pytest.mark.parametrize(("kind", "values"), FULL[:5], ids=lambda value: getattr(value, "__name__", ""))
def test_every_field_survives_the_address(kind, values):
    config = kind.model_validate(values)
    dumped = config.model_dump()
    query = {}
    for one in leaves(kind):
        value = dumped
        for part in one.path.split("."):
            value = None if value is None else value[part]
        spelt = to_address(value) if value is not None else None
        query[one.path] = spelt if isinstance(spelt, list) else [spelt] if spelt is not None else []
    base = {name: dumped[name] for name in ("encoder", "pretrain") if dumped.get(name)}
    found, problems = from_address(kind, query, {**LEAST[kind], **base})
    assert not problems
    assert kind.model_validate(found) == config


def test_an_address_that_cannot_be_gets_a_sentence_and_the_default():
    query = {"lanes": ["0"], "preset": ["huge"], "tokens": ["32"], "colour": ["red"], "optimizer.clip": ["[1"]}
    found, problems = from_address(PretrainConfig, query, {"genomes": ["a"]})
    assert found == {"tokens": 32}
    assert len(problems) == 3
    assert problems[0].startswith("Preset stands as it was; preset=huge cannot be: input should be 'small' or")
