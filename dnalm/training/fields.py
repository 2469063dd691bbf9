"""Fields of a configuration by their dotted names, and what is wrong with them in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError

NAME = r"^([A-Za-z0-9][A-Za-z0-9._-]*)?$"
"""What a model may be called, or nothing; a person is told so in words."""


def put(fields: dict[str, Any], name: str, value: Any) -> None:
    """Set a dotted field, `optimizer.clip`, in nested mappings."""
    *above, last = name.split(".")
    for part in above:
        below = fields.get(part)
        fields[part] = dict(below) if isinstance(below, dict) else {}
        fields = fields[part]
    fields[last] = value


def sentence_of(error: ValidationError, file: Path | None = None) -> str:
    """The first thing that is wrong with a configuration, in one sentence that names the field."""
    name, sentence = next(iter(sentences_of(error).items()))
    where = f"{file}, " if file else ""
    return f"{where}{f'field {name}: ' if name else ''}{sentence}"


def sentences_of(error: ValidationError) -> dict[str, str]:
    """What is wrong with each field, by its dotted name; what is wrong with several fields together has none."""
    found: dict[str, str] = {}
    for one in error.errors():
        name = ".".join(str(part) for part in one["loc"])
        message = one["msg"].removeprefix("Value error, ")
        if one["type"] == "missing":
            message = "nothing is given, and it cannot be left empty"
        elif one["type"] == "string_pattern_mismatch" and one["ctx"]["pattern"] == NAME:
            message = "a name begins with a letter or digit and goes on with those, dots, dashes and underscores"
        seen = "" if one["type"] in ("missing", "extra_forbidden", "value_error") else f" (found {one['input']!r})"
        found.setdefault(name, f"{message[:1].lower()}{message[1:]}{seen}")
    return found
