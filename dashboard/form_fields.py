"""What configuration fields look like on a form: kinds, names, help, bounds; and how an address spells them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from dnalm.training.fields import put, sentences_of

Kind = Literal["whole", "number", "choice", "flag", "text", "list", "numbers", "number or word"]
MISSING = object()


@dataclass(frozen=True)
class Leaf:
    """One input of a form.

    Attributes:
        path: dotted name of the field, as `--set` takes it.
        kind: what it holds.
        optional: whether it may be left empty.
        choices: what it may be, where only so much.
        low: least value; `high` the largest. Bounds that are excluded count as bounds here, and are checked later.
        info: pydantic's description of the field.
    """

    path: str
    kind: Kind
    optional: bool
    choices: tuple[Any, ...]
    low: float | None
    high: float | None
    info: FieldInfo

    @property
    def label(self) -> str:
        """Its name for people, with its unit."""
        name = self.info.title or words(self.path)
        unit = (self.info.json_schema_extra or {}).get("unit") if isinstance(self.info.json_schema_extra, dict) else ""
        return f"{name} ({unit})" if unit and unit not in name.lower() else name

    @property
    def bounds(self) -> str:
        """What it may be, in words: `more than 0, to 1`; empty where anything goes."""
        open_low = any(getattr(rule, "gt", None) is not None for rule in self.info.metadata)
        open_high = any(getattr(rule, "lt", None) is not None for rule in self.info.metadata)
        low = "" if self.low is None else f"{'more than' if open_low else 'from'} {self.low:g}"
        high = "" if self.high is None else f"{'less than' if open_high else 'to'} {self.high:g}"
        return (", " if open_low or open_high else " ").join(part for part in (low, high) if part)

    @property
    def help(self) -> str:
        """What it does, its bounds, and how the command line calls it."""
        text = self.info.description or ""
        parts = [f"{text[:1].upper()}{text[1:]}."] if text else []
        if bounds := self.bounds:
            parts.append(f"{bounds[:1].upper()}{bounds[1:]}.")
        return " ".join([*parts, f"At the shell: `--set {self.path}=…`"])

    def to_widget(self, value: Any) -> Any:
        """What the widget holds for a value of the field."""
        if self.kind == "list":
            return "\n".join(value or [])
        if self.kind == "numbers":
            return value if isinstance(value, str) else ", ".join(map(str, value or ()))
        if self.kind in ("text", "number or word"):
            return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
        if value is None:
            return None
        return {"whole": int, "number": float, "flag": bool}.get(self.kind, lambda same: same)(value)

    def from_widget(self, held: Any) -> Any:
        """The field's value for what its widget holds."""
        if self.kind == "list":
            lines = held.splitlines() if isinstance(held, str) else held
            return [line.strip() for line in lines if line.strip()]
        if self.kind == "numbers":
            return _numbers(held)
        if self.kind == "text":
            return None if self.optional and not held.strip() else held.strip()
        if self.kind == "number or word":
            return _number_or_word(held.strip())
        return held


def _numbers(text: str) -> Any:
    """Whole numbers with commas or blanks between; anything else stays as it is, to be refused by the field."""
    try:
        return tuple(int(one) for one in text.replace(",", " ").split())
    except ValueError:
        return text


def _number_or_word(text: str) -> Any:
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def words(path: str) -> str:
    """`validate_every` as `Validate every`."""
    name = path.rpartition(".")[2].replace("_", " ")
    return name if name in ("k",) else f"{name[:1].upper()}{name[1:]}"


def nested(info: FieldInfo) -> tuple[type[BaseModel] | None, bool]:
    """The model that a field holds, if it does, and whether the field may be none."""
    options, optional = _options(info.annotation)
    model = options[0] if len(options) == 1 and isinstance(options[0], type) else None
    return (model if model and issubclass(model, BaseModel) else None), optional


def _options(annotation: Any) -> tuple[list[Any], bool]:
    """The types of a union without None, and whether None was among them."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) not in (Union, UnionType):
        return [annotation], False
    found = get_args(annotation)
    return [_options(one)[0][0] for one in found if one is not NoneType], NoneType in found


def leaf(path: str, info: FieldInfo) -> Leaf | None:
    """The input of a field; none for a field that can have one value alone.

    Raises:
        TypeError: no form is known for such a field.
    """
    options, optional = _options(info.annotation)
    low = high = None
    for rule in info.metadata:
        low = getattr(rule, "ge", getattr(rule, "gt", low))
        high = getattr(rule, "le", getattr(rule, "lt", high))
    made = {"path": path, "optional": optional, "choices": (), "low": low, "high": high, "info": info}
    if len(options) == 2 and float in options:
        return Leaf(kind="number or word", **made)
    one = options[0]
    if get_origin(one) is Literal:
        choices = get_args(one)
        return Leaf(kind="choice", **{**made, "choices": choices}) if len(choices) > 1 else None
    kinds: dict[Any, Kind] = {int: "whole", float: "number", bool: "flag", str: "text", list[str]: "list"}
    kinds[tuple[int, ...]] = "numbers"
    if len(options) > 1 or one not in kinds:
        raise TypeError(f"{path}: no form for {info.annotation}")
    return Leaf(kind=kinds[one], **made)


def leaves(kind: type[BaseModel], prefix: str = "") -> Iterator[Leaf]:
    """All inputs of a model, those of models within it too."""
    for name, info in kind.model_fields.items():
        model, _ = nested(info)
        if model:
            yield from leaves(model, f"{prefix}{name}.")
        elif (found := leaf(f"{prefix}{name}", info)) is not None:
            yield found


def blank(kind: type[BaseModel]) -> dict[str, Any]:
    """Every field's default; None for one that must be given."""
    found: dict[str, Any] = {}
    for name, info in kind.model_fields.items():
        value = info.get_default(call_default_factory=True)
        if value is PydanticUndefined:
            value = None
        found[name] = value.model_dump() if isinstance(value, BaseModel) else value
    return found


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`below` with what `above` says, mapping by mapping."""
    found = deepcopy(dict(below))
    for name, value in above.items():
        inner = found.get(name)
        found[name] = merged(inner, value) if isinstance(inner, dict) and isinstance(value, Mapping) else value
    return found


def at(values: Mapping[str, Any], path: str, default: Any = None) -> Any:
    """The value of a dotted field in nested mappings; `default` where it is not there."""
    for part in path.split("."):
        if not isinstance(values, Mapping) or part not in values:
            return default
        values = values[part]
    return values


def problems_of(kind: type[BaseModel], error: ValidationError) -> dict[str, str]:
    """What is wrong, by the input at which it is to be said; by the empty name where it is at none."""
    paths = {one.path for one in leaves(kind)} | set(kind.model_fields)
    found: dict[str, str] = {}
    for name, sentence in sentences_of(error).items():
        place = name
        while place and place not in paths:
            place = place.rpartition(".")[0]
        found.setdefault(place, f"field {name}: {sentence}" if name else sentence)
    return found


def from_address(
    kind: type[BaseModel], query: Mapping[str, Sequence[str]], base: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Fields that an address gives.

    Args:
        kind: the configuration.
        query: each parameter's values; those that are no fields are left alone.
        base: what the other fields hold, so that the whole can be checked.

    Returns:
        The fields that are fit, nested, and a sentence for each parameter that is not.
    """
    given: dict[str, Any] = {}
    problems: list[str] = []
    for one in leaves(kind):
        texts = [text for text in query.get(one.path, ()) if text]
        if not texts:
            continue
        value = _spelt(one, texts)
        trial = merged(base, given)
        put(trial, one.path, value)
        sentence = _wrong(kind, trial, one.path)
        if sentence:
            problems.append(f"{one.label} stands as it was; {one.path}={', '.join(texts)} cannot be: {sentence}.")
        else:
            put(given, one.path, value)
    return given, problems


def _spelt(one: Leaf, texts: list[str]) -> Any:
    if one.kind == "list":
        return texts
    if one.kind == "text":
        return texts[-1]
    if one.kind == "number or word":
        return _number_or_word(texts[-1])
    if one.kind == "numbers":
        return _numbers(texts[-1])
    try:
        return yaml.safe_load(texts[-1])
    except yaml.YAMLError:
        return texts[-1]


def _wrong(kind: type[BaseModel], values: Mapping[str, Any], path: str) -> str | None:
    """What is wrong with one field, whatever is wrong with others."""
    try:
        kind.model_validate(values)
    except ValidationError as error:
        for name, sentence in sentences_of(error).items():
            if name == path or name.startswith(f"{path}."):
                return sentence
    return None


def to_address(value: Any) -> str | list[str]:
    """How an address spells a field's value."""
    if isinstance(value, list):
        return [str(one) for one in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
