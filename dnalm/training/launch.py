"""From fields to a run folder that is ready to be run: checked, and with its sources there."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dnalm.datasets import catalog
from dnalm.datasets.dataset import Dataset
from dnalm.datasets.named_files import as_path, named_file
from dnalm.datasets.recipes import load_or_make, of_id
from dnalm.errors import InputError
from dnalm.model.bundle import find_bundle, read_bundle
from dnalm.settings import settings
from dnalm.training.config import ANY_CONFIG, AnyRun, RunConfig, ScanConfig, TrackTrainConfig
from dnalm.training.fields import put, sentence_of
from dnalm.training.genomes import genome_file
from dnalm.training.run import RunFolder


def configured(fields: Mapping[str, Any], changes: Mapping[str, Any] | None = None) -> AnyRun:
    """The configuration that `fields` say, with some of them changed.

    Args:
        fields: as `config.yaml` has them; `phase` says which kind.
        changes: dotted field to its new value.

    Raises:
        InputError: a field is unknown, missing, or has a value that it cannot have.
    """
    wanted = deepcopy(dict(fields))
    for name, value in (changes or {}).items():
        put(wanted, name, value)
    try:
        return ANY_CONFIG.validate_python(wanted)
    except ValidationError as error:
        raise InputError(sentence_of(error)) from None


def check_sources(config: RunConfig, *, fetch: bool = True) -> None:
    """Say what is missing before there is a run folder.

    Args:
        config: what is to be run.
        fetch: make a recipe's set and fetch a genome of the catalogue now; else the run does when it begins.

    Raises:
        InputError: a genome, dataset or model is not there, or the model is none that this phase can start from.
    """
    for name in getattr(getattr(config, "pretrain", None) or config, "genomes", []):
        if fetch or name not in catalog.load():
            genome_file(name)
    for field in ("dataset", "exclude_matches"):
        dataset = getattr(config, field, None)
        if dataset and fetch:
            load_or_make(dataset)
        elif dataset and of_id(dataset) is None:
            Dataset.load(dataset)
    for name in filter(None, (getattr(config, "sequence", None), getattr(config, "truth", None))):
        if not as_path(name).exists() and (fetch or name not in catalog.load()):
            named_file(name)
    if isinstance(config, TrackTrainConfig):
        for name in filter(None, (config.genome, config.starts, config.annotation)):
            if fetch or name not in catalog.load():
                genome_file(name)
    if model := getattr(config, "model", None):
        bundle = read_bundle(find_bundle(model))
        scans = isinstance(config, ScanConfig)
        if (bundle.config.kind == "language-model") == scans:
            wanted = "a classifier or a track model" if scans else "a language model"
            raise InputError(f"model {model}: is a {bundle.config.kind}; {wanted} is wanted here")


def make_run_folder(config: RunConfig) -> RunFolder:
    """A new run folder in `DNALM_HOME`, named for the model or the task, and the time."""
    fields = config.model_dump(mode="json")
    stem = fields["name"] or "-".join(part for part in (fields["phase"], _of(fields)) if part)
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    return RunFolder.create_among(settings().runs, f"{Path(stem).name}-{stamp}", fields)


def _of(fields: Mapping[str, Any]) -> str | None:
    """What a run that has no name of its own is called after."""
    model = fields.get("model") if fields["phase"] == "scan" else None
    return Path(model).name if model else fields.get("dataset") or fields.get("task")
