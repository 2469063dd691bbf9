"""From options, a YAML file and `--set` to a checked configuration of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dnalm.errors import InputError
from dnalm.training.fields import put, sentence_of

if TYPE_CHECKING:
    from pydantic import BaseModel

    Config = TypeVar("Config", bound=BaseModel)


def build(kind: type[Config], options: Mapping[str, Any], file: Path | None = None, sets: Sequence[str] = ()) -> Config:
    """Make a configuration: the file first, then the options that were given, then `--set`.

    Args:
        kind: a configuration of one phase.
        options: dotted field to value; None is one not given.
        file: YAML, either the fields themselves or a run's `config.yaml`.
        sets: `FIELD=VALUE`, the field dotted, the value as YAML.

    Raises:
        InputError: the file cannot be read, or a field is unknown or has a value that it cannot have.
    """
    from pydantic import ValidationError

    fields = fields_of(file) if file else {}
    for name, value in options.items():
        if value is not None:
            put(fields, name, value)
    for text in sets:
        put(fields, *parse_set(text))
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise InputError(sentence_of(error, file)) from None


def parse_set(text: str) -> tuple[str, Any]:
    """The dotted field and the value, as YAML, of `FIELD=VALUE`.

    Raises:
        InputError: it is not of that form, or the value is not valid YAML.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise InputError(f"--set {text}: wanted FIELD=VALUE, as optimizer.learning_rate=0.003")
    return name.strip(), _yaml(value, f"--set {text}")


def fields_of(file: Path) -> dict[str, Any]:
    """What a YAML file says: the fields themselves, or a run's `config.yaml`.

    Raises:
        InputError: it cannot be read, or is no mapping.
    """
    try:
        document = _yaml(file.read_text(encoding="utf-8"), str(file))
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not text ({error.reason}); a YAML file is wanted") from None
    if isinstance(document, dict) and isinstance(document.get("config"), dict):
        document = document["config"]
    if not isinstance(document, dict):
        raise InputError(f"{file}: a YAML mapping of fields to values is wanted")
    return document


def _yaml(text: str, where: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f", line {place.line + 1}" if place else ""
        raise InputError(f"{where}{line}: not valid YAML") from None
