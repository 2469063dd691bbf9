"""Bundles: models on disk that can be moved and trusted. Only safetensors and JSON: loading one cannot run code."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from dnalm.errors import BundleError, InputError
from dnalm.model.config import BundleConfig
from dnalm.settings import settings

WEIGHTS, CONFIG, METRICS, CARD = "model.safetensors", "config.json", "metrics.json", "README.md"
_LARGEST_JSON = 16 << 20

AnyModule = TypeVar("AnyModule", bound=nn.Module)


@dataclass(frozen=True)
class Bundle:
    """A bundle's folder and what its small files say; the weights are read by `read_weights`."""

    folder: Path
    config: BundleConfig
    metrics: dict[str, Any]
    card: str

    @property
    def name(self) -> str:
        """The model's name."""
        return self.config.name


def write_bundle(
    folder: Path, config: BundleConfig, module: nn.Module, metrics: dict[str, Any], card: str, *, half: bool = False
) -> Bundle:
    """Write a bundle beside `folder` and rename it: it is whole or absent. One that is there already is replaced.

    With `half` the weights are rounded to 16 bits, in which the file takes half the room; they are read as 32 bits.
    """
    building = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    tensors = {key: value.detach().cpu().clone() for key, value in module.state_dict().items()}
    if half:
        tensors = {key: value.half() if value.is_floating_point() else value for key, value in tensors.items()}
    save_file(tensors, building / WEIGHTS)
    (building / CONFIG).write_text(json.dumps(config.model_dump(mode="json", exclude_defaults=False), indent=1) + "\n")
    (building / METRICS).write_text(json.dumps(metrics, indent=1) + "\n")
    (building / CARD).write_text(card)
    if folder.exists():
        old = folder.with_name(f".{folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        folder.replace(old)
        building.replace(folder)
        shutil.rmtree(old)
    else:
        building.replace(folder)
    return read_bundle(folder)


def read_bundle(folder: Path) -> Bundle:
    """Read a bundle's small files.

    Raises:
        BundleError: something is missing, is not JSON, or breaks the schema.
    """
    if not (folder / CONFIG).is_file() or not (folder / WEIGHTS).is_file():
        raise BundleError(f"{folder}: not a model: {CONFIG} and {WEIGHTS} are wanted")
    document = _json_object(folder / CONFIG)
    found = document.get("schema_version")
    if found != 1:
        raise BundleError(f"{folder / CONFIG}: schema version {found!r}, this dnalm reads version 1")
    try:
        config = BundleConfig.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise BundleError(f"{folder / CONFIG}: field {place}: {first['msg']}") from None
    metrics = _json_object(folder / METRICS) if (folder / METRICS).is_file() else {}
    return Bundle(folder, config, metrics, _text(folder / CARD))


def _text(path: Path) -> str:
    """The beginning of a text file; nothing where there is none."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return file.read(_LARGEST_JSON).decode(errors="replace")


def _json_object(path: Path) -> dict[str, Any]:
    if path.stat().st_size > _LARGEST_JSON:
        raise BundleError(f"{path}: {path.stat().st_size:,} bytes; {_LARGEST_JSON:,} at most")
    try:
        document = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:  # not JSON, not text, a number of a million digits, nested too deep
        raise BundleError(f"{path}: not JSON: {error}") from None
    if not isinstance(document, dict):
        raise BundleError(f"{path}: one JSON object is wanted")
    return document


def load_module(bundle: Bundle, make: Callable[[], AnyModule]) -> AnyModule:
    """A module with a bundle's weights, after checking their names, shapes and that all are numbers.

    They are checked against a module without memory, so that a configuration that lies about its size costs none.

    Args:
        bundle: whose weights.
        make: makes the module that the bundle's configuration describes.

    Raises:
        BundleError: the weights are damaged, or do not match the configuration.
    """
    path = bundle.folder / WEIGHTS
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise BundleError(f"{path}: the weights cannot be read: {error}") from None
    with torch.device("meta"):
        wanted = make().state_dict()
    _check_tensors(path, tensors, wanted)
    module = make()
    module.load_state_dict(tensors)
    return module


def _check_tensors(path: Path, tensors: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    if missing := sorted(wanted.keys() - tensors.keys()):
        raise BundleError(f"{path}: {len(missing)} tensors that {CONFIG} calls for are missing, first {missing[0]}")
    if extra := sorted(tensors.keys() - wanted.keys()):
        raise BundleError(f"{path}: {len(extra)} tensors that {CONFIG} does not call for, first {extra[0]}")
    for name, tensor in tensors.items():
        if tensor.shape != wanted[name].shape:
            shapes = f"{tuple(tensor.shape)}, {CONFIG} calls for {tuple(wanted[name].shape)}"
            raise BundleError(f"{path}: tensor {name} has shape {shapes}")
        if tensor.is_floating_point() != wanted[name].is_floating_point():
            raise BundleError(f"{path}: tensor {name} holds {tensor.dtype}, {CONFIG} calls for {wanted[name].dtype}")
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise BundleError(f"{path}: tensor {name} holds values that are not numbers")


def weights_hash(folder: Path) -> str:
    """SHA-256 of a bundle's weights, by which a child names its parent."""
    with (folder / WEIGHTS).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find_bundle(model: str | Path) -> Path:
    """Folder of a model given by name (shipped, or in `DNALM_HOME`), by run folder, or by its own folder.

    A name may be cut short at a dash where what is left names one model, or one and its variants:
    `ecoli-promoters` is `ecoli-promoters-150`, of which `ecoli-promoters-150-masked` is a variant.

    Raises:
        InputError: there is none.
    """
    path = Path(model)
    if path.is_dir():
        return path / "bundle" if (path / "bundle" / CONFIG).exists() else path
    name = str(model)
    if "/" not in name and name not in (".", ".."):
        for root in (settings().models, settings().shipped_models):
            if (root / name / CONFIG).is_file():
                return root / name
    longer = sorted((folder for folder in list_bundles() if folder.name.startswith(f"{name}-")), key=_name_length)
    if longer and all(folder.name.startswith(longer[0].name) for folder in longer):
        return longer[0]
    known = ", ".join(sorted({folder.name for folder in list_bundles()})) or "none yet"
    raise InputError(f"no model {name!r}: give a bundle's folder, or one of: {known}")


def _name_length(folder: Path) -> int:
    return len(folder.name)


def list_bundles() -> list[Path]:
    """Folders of all models, shipped first; a name in `DNALM_HOME` hides the shipped one."""
    found: dict[str, Path] = {}
    for root in (settings().shipped_models, settings().models):
        for config in sorted(root.glob(f"[!.]*/{CONFIG}")) if root.is_dir() else []:
            found[config.parent.name] = config.parent
    return list(found.values())
