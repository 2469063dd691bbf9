"""Models as archives: the same model comes back, and nothing else gets in."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

import dnalm
from dnalm.errors import BundleError, InputError
from dnalm.model import exchange
from dnalm.model.bundle import write_bundle
from dnalm.model.config import BundleConfig, EncoderConfig
from dnalm.model.exchange import export_bundle, import_bundle
from dnalm.model.language_model import AWDLanguageModel
from dnalm.settings import settings

ENCODER = EncoderConfig(k=2, stride=1, embedding=4, hidden=4, layers=1)


@pytest.fixture
def bundle(home: Path, tmp_path: Path) -> Path:
    config = BundleConfig(kind="language-model", name="text", encoder=ENCODER, lm_head="continuation")
    torch.manual_seed(0)
    module = AWDLanguageModel(ENCODER, "continuation")
    return write_bundle(tmp_path / "text", config, module, {"figures": {}}, "# text\n").folder


@pytest.fixture
def archive(bundle: Path, tmp_path: Path) -> Path:
    return export_bundle(bundle, tmp_path / "text.zip")


def models() -> list[str]:
    return sorted(path.name for path in settings().models.iterdir()) if settings().models.exists() else []


def test_a_model_survives_the_journey(bundle: Path, archive: Path):
    taken = import_bundle(archive)
    assert taken.folder == settings().models / "text"
    codes = np.random.default_rng(1).integers(0, 4, 500).astype(np.uint8)
    assert np.array_equal(dnalm.load(bundle).bits(codes), dnalm.load("text").bits(codes))
    assert (taken.folder / "README.md").read_text() == "# text\n"


def test_the_same_model_gives_the_same_archive(bundle: Path, archive: Path, tmp_path: Path):
    assert export_bundle(bundle, tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_a_folder_is_taken_in_under_another_name(bundle: Path):
    assert import_bundle(bundle, name="mine").folder.name == "mine"
    assert models() == ["mine"]


def test_a_taken_name_stays_unless_told(archive: Path):
    import_bundle(archive)
    with pytest.raises(InputError, match="model of this name"):
        import_bundle(archive)
    import_bundle(archive, replace=True)
    assert models() == ["text"]


@pytest.mark.parametrize("name", ["../out", "a/b", ".hidden", "", "x" * 200, "ä"])
def test_a_name_cannot_lead_elsewhere(bundle: Path, name: str):
    if name == "":
        name = " "
    with pytest.raises(InputError, match="no name"):
        import_bundle(bundle, name=name)
    assert models() == []


def repack(archive: Path, change) -> Path:
    with zipfile.ZipFile(archive) as source:
        entries = {entry.filename: source.read(entry) for entry in source.infolist()}
    change(entries)
    with zipfile.ZipFile(archive, "w") as target:
        for name, content in entries.items():
            target.writestr(name, content)
    return archive


def test_a_path_out_of_the_archive_is_refused(archive: Path, tmp_path: Path):
    repack(archive, lambda entries: entries.update({"text/../../config.json": b"{}"}))
    with pytest.raises(BundleError, match="alone"):
        import_bundle(archive)
    assert models() == []


def test_a_pickle_is_refused(archive: Path):
    repack(archive, lambda entries: entries.update({"text/model.pt": pickle.dumps({})}))
    with pytest.raises(BundleError, match=r"model\.pt"):
        import_bundle(archive)
    assert models() == []


def test_weights_that_are_a_pickle_are_refused(archive: Path):
    repack(archive, lambda entries: entries.update({"text/model.safetensors": pickle.dumps({})}))
    with pytest.raises(BundleError, match="cannot be read"):
        import_bundle(archive)
    assert models() == []


def test_weights_of_another_shape_are_refused(archive: Path):
    def change(entries: dict[str, bytes]) -> None:
        entries["text/config.json"] = entries["text/config.json"].replace(b'"hidden": 4', b'"hidden": 8')

    with pytest.raises(BundleError, match="shape"):
        import_bundle(repack(archive, change))


def test_a_cut_archive_is_refused(archive: Path):
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(BundleError, match="not a whole zip"):
        import_bundle(archive)


def test_a_flipped_byte_is_refused(archive: Path):
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 255
    archive.write_bytes(content)
    with pytest.raises(BundleError):
        import_bundle(archive)
    assert models() == []


def test_what_unpacks_to_too_much_is_refused(archive: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exchange, "LARGEST", 100)
    with pytest.raises(BundleError, match="more than 100 bytes"):
        import_bundle(archive)


def test_a_missing_source_is_wrong_input(home: Path):
    with pytest.raises(InputError, match="not there"):
        import_bundle(Path("nowhere.zip"))
