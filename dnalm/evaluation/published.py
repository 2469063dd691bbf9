"""The figures that others published, as published: read from `data/published.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dnalm.errors import InputError
from dnalm.settings import settings

Share = Annotated[float, Field(ge=-1, le=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Strict):
    """Where figures come from."""

    citation: str
    address: str


class Row(_Strict):
    """One model's figures on a task, as published.

    Attributes:
        model: as the source calls it, in words.
        source: key of `Published.sources`.
        figures: name (as in `dnalm.metrics`) to value; those not published are absent.
        labels: labelled training sequences, where the source says.
        kmer: bases of a token, for language models.
        stride: bases from one token to the next.
        spread: the +- that the source gives with a figure, by name.
        note: what holds for this row alone, as how its figures were come by.
    """

    model: str
    source: str
    figures: dict[str, Share]
    labels: int | None = None
    kmer: int | None = None
    stride: int | None = None
    spread: dict[str, Share] = {}
    note: str = ""

    @property
    def told(self) -> str:
        """Its note, and what its source says of chance."""
        spreads = " and ".join(f"{name} ± {value:g}" for name, value in self.spread.items())
        return " ".join(said for said in (self.note, spreads and f"Its source gives {spreads}.") if said)

    def printed(self, figure: str) -> str:
        """A figure with the digits that were published, as far as the row's other figures tell: 0.670, 0.90."""
        digits = max(2, *(len(repr(value).partition(".")[2]) for value in self.figures.values()))
        return f"{self.figures[figure]:.{digits}f}" if figure in self.figures else ""


class Task(_Strict):
    """What was measured, on which data, and how.

    Attributes:
        title: for people.
        dataset: the dataset here that stands for the published one; None where the data are not to be had.
        span: the stretch of DNA that a sequence is.
        protocol: how the published figures were measured, in a sentence or two.
        apart: what keeps them from a fair comparison with dnalm's own runs; empty where nothing does.
        not_run: why dnalm has no run on the published kind of data; empty where it has, or can have, one.
        rows: as published.
    """

    title: str
    dataset: str | None
    span: str
    protocol: str
    rows: tuple[Row, ...]
    apart: str = ""
    not_run: str = ""


class Published(_Strict):
    """All published figures."""

    sources: dict[str, Source]
    tasks: dict[str, Task]


def load(path: Path | None = None) -> Published:
    """Read the published figures; the shipped ones when no path is given.

    Raises:
        InputError: when the file is not there, a field is missing or unknown, or a row names no known source.
    """
    path = settings().shipped_data / "published.yaml" if path is None else path
    try:
        found = Published.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"{path}: the published figures cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: field {field}: {first['msg']}") from error
    for name, task in found.tasks.items():
        for row in task.rows:
            if row.source not in found.sources:
                raise InputError(f"{path}: task {name} names the source {row.source!r}, which is not listed")
    return found
