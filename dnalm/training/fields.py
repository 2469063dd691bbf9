"""Fields of a configuration by their dotted names, and what is wrong with them in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError


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
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    found = "" if first["type"] in ("missing", "extra_forbidden", "value_error") else f" (found {first['input']!r})"
    where = f"{file}, " if file else ""
    return f"{where}{f'field {name}: ' if name else ''}{message[:1].lower()}{message[1:]}{found}"
