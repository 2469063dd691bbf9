"""Two CPU processes over gloo against one: the same batch shared out gives the same training."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from toy_models import NO_DROPOUT, language_model_bundle, random_codes, tiny_encoder, toy_dataset, write_genome

from dnalm.alphabet import decode
from dnalm.training.config import FinetuneConfig, PretrainConfig, TrainConfig
from dnalm.training.listing import summarise
from dnalm.training.run import RunFolder

pytestmark = pytest.mark.slow

RATES = {"learning_rate": 2e-3}
TOLERANCE = 1e-4
# A batch norm takes away whatever constant is added before it: that bias has no gradient but rounding, of which AdamW
# makes steps. In evaluation the norm's running mean lags behind it, and the validation loss feels that.
VALIDATION_TOLERANCE = 1e-3
NOISE = {"members.0.head.projection.bias", "members.0.head.mlp.0.running_mean"}

SCRIPT = """
import sys
from pathlib import Path
from dnalm.errors import DnalmError
from dnalm.training.classify import train
from dnalm.training.config import ANY_CONFIG
from dnalm.training.finetune import finetune
from dnalm.training.pretrain import pretrain
from dnalm.training.run import RunFolder

folder = Path(sys.argv[1])
config = ANY_CONFIG.validate_python(RunFolder(folder).document()["config"])
try:
    {"pretrain": pretrain, "finetune": finetune, "train": train}[config.phase](config, folder)
except DnalmError as error:
    sys.exit(f"SENTENCE {error}")
"""

# A dropout draws a mask in each process; where two trainings are compared there is none.
NO_MASKS = """
import dnalm.model.dropout
dnalm.model.dropout.Dropping.active = property(lambda self: False)
"""

KILLED_AT_STEP_17 = """
import os, signal
from dnalm.training.corpus import Lanes
read = Lanes.step
def step(self, number, lanes=slice(None)):
    if number == 17:
        os.kill(os.getpid(), signal.SIGKILL)
    return read(self, number, lanes)
Lanes.step = step
"""


def run(tmp_path: Path, config, devices: int, *, folder: str | None = None, before: str = "") -> Path:
    """Run a phase in as many processes, after the code `before`; returns the run folder."""
    path = tmp_path / (folder or f"{config.phase}-{devices}")
    compute = {"accelerator": "cpu", "devices": devices, "threads": 1}
    config = config.model_copy(update={"compute": config.compute.model_copy(update=compute)})
    if isinstance(config, TrainConfig) and config.pretrain:
        inner = config.pretrain.model_copy(update={"compute": config.compute})
        config = config.model_copy(update={"pretrain": inner})
    RunFolder.open_or_create(path, config.model_dump(mode="json"))
    done = start(tmp_path, path, before)
    assert done.returncode == 0, done.stderr[-3000:]
    return path


def start(tmp_path: Path, path: Path, before: str = "") -> subprocess.CompletedProcess:
    script = tmp_path / "run.py"
    script.write_text(before + SCRIPT)
    known = {key: value for key, value in os.environ.items() if key not in ("LOCAL_RANK", "WORLD_SIZE", "MASTER_PORT")}
    environment = {**known, "DNALM_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), str(path)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


def assert_alike(one: Path, two: Path) -> None:
    first, second = RunFolder(one).metrics(), RunFolder(two).metrics()
    assert len(first) > 1
    for left, right in zip(first, second, strict=True):
        assert left.keys() == right.keys()
        for name in left.keys() - {"phase", "accuracy", "mcc"}:
            most = VALIDATION_TOLERANCE if name == "loss" else TOLERANCE
            assert left[name] == pytest.approx(right[name], abs=most), (name, left, right)
    weights, other = (load_file(path / "bundle" / "model.safetensors") for path in (one, two))
    assert weights.keys() == other.keys()
    for name in weights.keys() - NOISE:
        np.testing.assert_allclose(weights[name], other[name], atol=2e-3, err_msg=name)


def pretraining(tmp_path: Path, **changes) -> PretrainConfig:
    genome = tmp_path / "toy.fna"
    if not genome.exists():
        write_genome(genome, 6000)
    fields = {"steps": 30, "lanes": 4, "tokens": 16, "validate_every": 10, "optimizer": RATES}
    return PretrainConfig(genomes=[str(genome)], encoder=tiny_encoder(layers=2), **{**fields, **changes})


def training(tmp_path: Path, dataset, **changes) -> TrainConfig:
    model = str(language_model_bundle(tmp_path / "lm").folder)
    fields = {"model": model, "head": "aligned", "batch_size": 16, "epochs": 3, "epochs_frozen": 1, "dropout": 0.0}
    return TrainConfig(dataset=str(dataset.folder), **{"optimizer": RATES, **fields, **changes})


def test_pretraining_with_unknown_bases(tmp_path):
    """Unknown bases are not scored, so that the two shares of a batch weigh differently."""
    codes = random_codes(6000)
    codes[1000:2200] = 4
    (tmp_path / "toy.fna").write_text(f">r\n{decode(codes)}\n")
    config = pretraining(tmp_path)
    assert config.encoder.weight_dropout == NO_DROPOUT["weight_dropout"]
    assert_alike(run(tmp_path, config, 1), run(tmp_path, config, 2))


@pytest.mark.parametrize("options", [{}, {"head": "pool", "class_weights": True, "label_smoothing": 0.1}])
def test_training_with_batches_of_odd_size(tmp_path, home, options):
    """62 training sequences make batches of 15 and 16: 8 and 7 in the two processes."""
    dataset = toy_dataset(tmp_path / "boxes")
    dataset.table.loc[dataset.table.index[[0, 1]], "split"] = "test"
    dataset.save(dataset.folder)
    config = training(tmp_path, dataset, **options)
    assert_alike(*(run(tmp_path, config, devices, before=NO_MASKS) for devices in (1, 2)))


def test_finetuning(tmp_path, home):
    dataset = toy_dataset(tmp_path / "boxes")
    model = str(language_model_bundle(tmp_path / "lm").folder)
    config = FinetuneConfig(model=model, dataset=str(dataset.folder), epochs=3, batch_size=10, optimizer=RATES)
    assert_alike(*(run(tmp_path, config, devices, before=NO_MASKS) for devices in (1, 2)))


def test_all_three_phases_after_one_another(tmp_path, home):
    dataset = toy_dataset(tmp_path / "boxes")
    config = TrainConfig(
        dataset=str(dataset.folder),
        pretrain=pretraining(tmp_path, steps=None, minutes=0.02),  # each process would count other steps
        finetune_epochs=1,
        head="ensemble",
        epochs=1,
        batch_size=16,
    )
    folder = run(tmp_path, config, 2)
    for path in (folder, folder / "pretrain", folder / "finetune"):
        assert summarise(path).state == "succeeded"


class TestCheckpoints:
    def test_two_processes_go_on_from_what_two_wrote(self, tmp_path):
        """With dropout, so that each process's random numbers count."""
        config = pretraining(tmp_path, dropout=1.0, checkpoint_seconds=0)
        whole = run(tmp_path, config, 2, folder="whole")
        cut = run(tmp_path, config, 2, folder="cut")
        state = json.loads((cut / "checkpoint" / "state.json").read_text())
        assert state["world"] == 2
        killed = tmp_path / "killed"
        RunFolder.create(killed, RunFolder(whole).document()["config"])
        assert start(tmp_path, killed, KILLED_AT_STEP_17).returncode != 0
        assert 0 < RunFolder(killed).load_checkpoint()[1]["step"] <= 17
        run(tmp_path, config, 2, folder="killed")
        weights = [(path / "bundle" / "model.safetensors").read_bytes() for path in (whole, cut, killed)]
        assert weights[0] == weights[1] == weights[2]
        assert RunFolder(killed).metrics() == RunFolder(whole).metrics()

    def test_another_number_of_processes_is_a_sentence(self, tmp_path):
        config = pretraining(tmp_path)
        folder = run(tmp_path, config, 1)
        path = folder / "checkpoint" / "state.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "world": 2}))
        done = start(tmp_path, folder)
        assert done.returncode == 1
        assert "SENTENCE the checkpoint was written by 2 processes, this run has 1: resume with as many" in done.stderr
        assert summarise(folder).progress["state"] == "failed"

    def test_lanes_that_cannot_be_shared_out_are_a_sentence(self, tmp_path):
        config = pretraining(tmp_path, lanes=3)
        path = tmp_path / "odd"
        compute = {"accelerator": "cpu", "devices": 2, "threads": 1}
        fields = {**config.model_dump(mode="json"), "compute": {**config.compute.model_dump(), **compute}}
        RunFolder.create(path, fields)
        done = start(tmp_path, path)
        assert done.returncode != 0
        assert "3 lanes cannot be shared out among 2 processes evenly" in done.stderr
