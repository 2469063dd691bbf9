"""Scans on a CUDA device: the same track as on the processor, in one process and in several."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from toy_track import random_tracks, track_bundle

from dnalm import load
from dnalm.alphabet import decode
from dnalm.cli import app
from dnalm.sequences import Record
from dnalm.tracks import gather, scan

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.fixture(autouse=True)
def exact_matrix_products():
    """Without TF32, so that the two devices may be compared."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


@pytest.mark.parametrize("mode", ["stream", "window"])
def test_the_track_is_the_same(tmp_path, mode):
    folder = track_bundle(tmp_path / "toy", random_tracks()).folder
    record = Record("r", np.random.default_rng(0).integers(0, 4, 40_000).astype(np.uint8), circular=True)
    stride = 1 if mode == "stream" else 50
    there, here = (gather(scan(load(folder, device), record, mode=mode, stride=stride)) for device in ("cuda", "cpu"))
    np.testing.assert_allclose(there.forward, here.forward, atol=1e-4)
    np.testing.assert_allclose(there.reverse, here.reverse, atol=1e-4)


@pytest.mark.parametrize("how", [["--device", "cuda"], ["--device", "cuda:0,cuda:0"], ["--device", "cuda:all"]])
def test_processes_take_devices_in_turn(tmp_path, how):
    folder = track_bundle(tmp_path / "toy", random_tracks()).folder
    codes = np.random.default_rng(0).integers(0, 4, 300_000).astype(np.uint8)
    (tmp_path / "genome.fna").write_text(f">r\n{decode(codes)}\n")
    tables = []
    for options in (how, []):
        command = ["scan", str(folder), str(tmp_path / "genome.fna"), "-o", str(tmp_path / "a.parquet"), *options]
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.stderr
        tables.append(pd.read_parquet(tmp_path / "a.parquet"))
    there, here = tables
    assert (there.position == here.position).all()
    np.testing.assert_allclose(there.probability, here.probability, atol=1e-4)
