"""How results leave a command: JSON, tables, and files that are whole or not there."""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from dnalm.cli.frame import say
from dnalm.errors import InputError

STANDARD = "-"


def plain(value: Any) -> Any:
    """Turn a result into what JSON holds: figures through `as_dict`, paths as text, nan as null."""
    if hasattr(value, "as_dict"):
        return plain(value.as_dict())
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(mode="json"))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return str(value)


def print_json(result: Mapping[str, Any]) -> None:
    """Print one JSON object on standard output."""
    typer.echo(json.dumps(plain(result), indent=2, ensure_ascii=False))


def print_table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows: aligned columns on a terminal, else tab-separated values with a header line."""
    texts = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in [list(header), *texts]:
            typer.echo("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*header, box=None, pad_edge=False, header_style="bold")
    for row in texts:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def figure_text(figure: Any) -> str:
    """A figure for people: `0.8131 (0.7904 to 0.8360, n 830)`."""
    fields = figure.as_dict() if hasattr(figure, "as_dict") else figure
    if fields["value"] is None:
        return f"unknown (n {fields['n']:,})"
    interval = "" if fields["low"] is None else f"{fields['low']:.4f} to {fields['high']:.4f}, "
    return f"{fields['value']:.4f} ({interval}n {fields['n']:,})"


@contextmanager
def whole_file(destination: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `destination`; rename it there at the end, and only then.

    Args:
        destination: the file to write; its folder must be there.

    Yields:
        The temporary path, with the same suffixes, to write to.

    Raises:
        InputError: the folder is not there, or the destination is a folder.
    """
    target = Path(destination)
    if target.is_dir():
        raise InputError(f"{target}: is a folder; name a file to write")
    if not target.parent.is_dir():
        raise InputError(f"{target}: the folder {target.parent} is not there; make it first")
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".dnalm-", suffix="".join(target.suffixes[-2:]))
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes the file private; a result gets the rights that any new file would have.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def format_of(destination: str, chosen: str | None, known: Mapping[str, str], default: str) -> str:
    """The format to write: the one chosen, else by the file's suffix, else the default on standard output.

    Args:
        destination: a path, or "-".
        chosen: what `--format` says, or None.
        known: format by suffix, as {".tsv": "tsv"}.
        default: the format of standard output.

    Raises:
        InputError: the format or the suffix is not among `known`.
    """
    names = sorted(set(known.values()))
    if chosen is not None:
        if chosen.lower() not in names:
            raise InputError(f"--format {chosen}: not a format here; wanted one of {', '.join(names)}")
        return chosen.lower()
    if destination == STANDARD:
        return default
    suffix = Path(destination).suffix.lower()
    if suffix not in known:
        wanted = ", ".join(sorted(known))
        raise InputError(f"{destination}: the suffix {suffix or '(none)'} says no format; wanted {wanted}")
    return known[suffix]


def tell_described(kind: str, name: str, description: str, as_json: bool) -> None:
    """Tell what is said of a model or a labelled set now."""
    if as_json:
        print_json({kind: name, "description": description})
    else:
        say(f"{name}: {description}")


def tell_shared(kind: str, name: str, shared: bool, as_json: bool) -> None:
    """Tell who sees a model or a labelled set now."""
    if as_json:
        print_json({kind: name, "shared": shared})
    else:
        say(f"{name}: {'shared with the lab' if shared else 'private'}")
