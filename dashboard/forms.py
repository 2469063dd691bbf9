"""Forms made from the configuration models: the same fields, help and bounds as the command line has."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import streamlit as st
from pydantic import BaseModel, ValidationError

from dashboard.form_fields import Leaf, at, blank, leaf, merged, nested, problems_of, to_address, words
from dnalm.training.fields import put

Config = TypeVar("Config", bound=BaseModel)
_COLUMNS = 3


@dataclass(frozen=True)
class Filled(Generic[Config]):
    """A form as it stands.

    Attributes:
        values: every field, nested.
        config: the configuration that they make; None where something is wrong.
        problems: what is wrong, by field; each has been said at its input.
    """

    values: dict[str, Any]
    config: Config | None
    problems: dict[str, str]


@dataclass
class _Drawing:
    """What drawing one form needs to know throughout."""

    key: str
    values: dict[str, Any]
    defaults: dict[str, Any]
    choices: Mapping[str, Mapping[str, str]]
    bases: Mapping[str, Mapping[str, Any]]
    address: bool
    skip: Collection[str]
    always: Collection[str]
    found: dict[str, Any] = field(default_factory=dict)
    slots: dict[str, Any] = field(default_factory=dict)


def form(kind: type[BaseModel], values: Mapping[str, Any], *, key: str, main: Sequence[str]) -> dict[str, Any]:
    """Draw a form and give what it holds.

    Args:
        kind: the configuration's model.
        values: fields that are not to begin with their defaults, nested.
        key: what the widgets' names begin with: unique on the page.
        main: dotted fields that are shown at once, in this order; the others are folded under Advanced.
    """
    return filled(kind, values, key=key, main=main).values


def filled(
    kind: type[Config],
    values: Mapping[str, Any],
    *,
    key: str,
    main: Sequence[str],
    skip: Collection[str] = (),
    choices: Mapping[str, Mapping[str, str]] | None = None,
    bases: Mapping[str, Mapping[str, Any]] | None = None,
    address: bool = False,
    always: Collection[str] = (),
    between: Callable[[dict[str, Any]], None] | None = None,
) -> Filled[Config]:
    """Draw a form, check what it holds, and say at each field what is wrong with it.

    Args:
        kind: the configuration's model.
        values: fields that are not to begin with their defaults, nested.
        key: what the widgets' names begin with: unique on the page.
        main: dotted fields that are shown at once, in this order; the others are folded under Advanced.
        skip: fields that have no input here: they keep what `values` says.
        choices: what is offered for fields that take any text, or told of those that offer a few words: value to what
            is shown.
        bases: for a model within the model that may be none, what none stands for: its inputs show that, and it
            stays none until one of them differs.
        address: whether the page's address is the state: inputs follow `values` and write what differs from the
            defaults into the address.
        always: models within the model that may be none, but not on this form.
        between: draws what stands between the main inputs and the others; it gets the main ones' values by field.
    """
    bases = bases or {}
    defaults = merged(blank(kind), bases)
    now = merged(blank(kind), values)
    drawing = _Drawing(key, now, defaults, choices or {}, bases, address, set(skip) | set(main), always)
    for first in range(0, len(main), _COLUMNS):
        row = list(main[first : first + _COLUMNS])
        for column, path in zip(st.columns(len(row)), row, strict=True):
            with column:
                _input(drawing, _leaf_at(kind, path))
    if between:
        between(dict(drawing.found))
    known_wrong = _problems(kind, now)
    folded = any(place and place not in main for place in known_wrong)
    with st.expander("Advanced settings", icon=":material/tune:", expanded=folded, key=f"{key}:advanced"):
        _group(drawing, kind, "")
    held = deepmerged(now, drawing.found)
    for name, base in bases.items():
        if at(held, name) == merged(blank(_model_at(kind, name)), base):
            put(held, name, None)
    try:
        config, problems = kind.model_validate(without_empty(kind, held)), {}
    except ValidationError as error:
        config, problems = None, problems_of(kind, error)
    for place, sentence in problems.items():
        (drawing.slots.get(place) or st).error(sentence, icon=":material/error:")
    return Filled(held, config, problems)


def deepmerged(values: dict[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with each dotted field of `found` put in its place."""
    values = merged(values, {})
    for path, value in found.items():
        put(values, path, value)
    return values


def without_empty(kind: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` without those that must be given and were left empty, so that they are said to be missing."""
    found = {}
    for name, value in values.items():
        info = kind.model_fields.get(name)
        if info is not None and info.is_required() and value in (None, "", []):
            continue
        model = nested(info)[0] if info is not None else None
        found[name] = without_empty(model, value) if model and isinstance(value, Mapping) else value
    return found


def _problems(kind: type[BaseModel], values: Mapping[str, Any]) -> dict[str, str]:
    try:
        kind.model_validate(without_empty(kind, values))
    except ValidationError as error:
        return problems_of(kind, error)
    return {}


def _model_at(kind: type[BaseModel], name: str) -> type[BaseModel]:
    for part in name.split("."):
        found, _ = nested(kind.model_fields[part])
        assert found is not None
        kind = found
    return kind


def _leaf_at(kind: type[BaseModel], path: str) -> Leaf:
    above, _, name = path.rpartition(".")
    found = leaf(path, (_model_at(kind, above) if above else kind).model_fields[name])
    assert found is not None
    return found


def _group(drawing: _Drawing, kind: type[BaseModel], prefix: str) -> None:
    """The inputs of a model, in columns, then the models within it, each under its name."""
    fields = [(f"{prefix}{name}", info) for name, info in kind.model_fields.items()]
    inputs = [leaf(path, info) for path, info in fields if nested(info)[0] is None and path not in drawing.skip]
    shown = [one for one in inputs if one is not None]
    for first in range(0, len(shown), _COLUMNS):
        for column, one in zip(st.columns(_COLUMNS), shown[first : first + _COLUMNS], strict=False):
            with column:
                _input(drawing, one)
    for path, info in fields:
        model, optional = nested(info)
        if model is None or path in drawing.skip:
            continue
        st.markdown(f"**{words(path)}**" + (f": {info.description}" if info.description else ""))
        always = path in drawing.bases or path in drawing.always
        if optional and not always and not _wanted(drawing, path, model):
            continue
        _group(drawing, model, f"{path}.")


def _wanted(drawing: _Drawing, path: str, model: type[BaseModel]) -> bool:
    """A switch for a model that may be none; with it on, its inputs begin with their defaults."""
    key, given = f"{drawing.key}:{path}", at(drawing.values, path)
    st.session_state.setdefault(key, given is not None)
    if st.toggle(f"Set {words(path).lower()}", key=key):
        put(drawing.values, path, merged(blank(model), given or {}))
        return True
    drawing.found[path] = None
    return False


def _input(drawing: _Drawing, one: Leaf) -> None:
    """One widget, with room below it for what is wrong."""
    key = f"{drawing.key}:{one.path}"
    offered = drawing.choices.get(one.path)
    value = at(drawing.values, one.path, at(drawing.defaults, one.path))
    held = one.to_widget(value) if offered is None else value or ([] if one.kind == "list" else None)
    if (drawing.address and st.session_state.get(key, _NOTHING) != held) or key not in st.session_state:
        st.session_state[key] = held
    more: dict[str, Any] = {"key": key, "help": one.help}
    if drawing.address:
        default = at(drawing.defaults, one.path)
        more |= {"on_change": _remember, "args": (key, one.path, one.from_widget, one.kind, default)}
    drawing.found[one.path] = one.from_widget(_widget(one, offered, more))
    drawing.slots[one.path] = st.empty()


_NOTHING = object()


def _widget(one: Leaf, offered: Mapping[str, str] | None, more: dict[str, Any]) -> Any:
    """The widget that fits the field; it takes its value from the session's state."""
    if offered is not None:
        chosen = st.session_state[more["key"]]
        options = list(dict.fromkeys([*offered, *(chosen if one.kind == "list" else [chosen])]))
        options = [option for option in options if option]
        show: Callable[[str], str] = lambda option: offered.get(option, option)  # noqa: E731
        if one.kind == "list":
            return st.multiselect(one.label, options, format_func=show, placeholder="Choose one or more", **more)
        if one.kind == "choice" and not one.optional:
            return st.selectbox(one.label, options, format_func=show, **more)
        return st.selectbox(one.label, options, None, format_func=show, placeholder="Choose one", **more) or ""
    if one.kind == "flag":
        return st.checkbox(one.label, **more)
    if one.kind == "choice":
        options = [None, *one.choices] if one.optional else list(one.choices)
        return st.selectbox(one.label, options, format_func=lambda held: "default" if held is None else held, **more)
    if one.kind == "list":
        more["help"] = f"{more['help']} One a line."
        return st.text_area(one.label, height=90, **more)
    if one.kind in ("text", "numbers", "number or word"):
        return st.text_input(one.label, **more)
    return _number(one, more)


def _number(one: Leaf, more: dict[str, Any]) -> Any:
    cast = int if one.kind == "whole" else float
    high = one.high
    step: Any = 1
    if cast is float:
        default = one.info.default if isinstance(one.info.default, float) else 0.0
        step = 1.0 if high is None and default in (0.0, 1.0, 60.0) else 0.01 if 0 < default < 0.05 else 0.05
    if one.optional:
        more |= {"value": None, "placeholder": "default"}
    # Without bounds: beyond them the browser would show what was typed and send what was there before.
    return st.number_input(one.label, step=step, format="%d" if cast is int else "%g", **more)


def _remember(key: str, path: str, read: Callable[[Any], Any], kind: str, default: Any) -> None:
    """Write a widget's value into the address; its default leaves the address."""
    held = st.session_state[key]
    value = read(held) if held is not None or kind in ("whole", "number", "choice") else None
    if kind == "list" and not value and not default:
        st.query_params[path] = ""  # emptied, which is not the same as never given
    elif value in (None, "", []) or value == default:
        st.query_params.pop(path, None)
    else:
        st.query_params[path] = to_address(value)
