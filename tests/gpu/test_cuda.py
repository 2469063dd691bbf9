"""On a CUDA device: the same answers as on the CPU, and training that learns, stops and goes on."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from toy_models import (
    aligned,
    classifier,
    classifier_bundle,
    language_model_bundle,
    random_codes,
    tiny_encoder,
    toy_dataset,
    write_genome,
)

import dnalm
from dnalm.evaluation.results import places
from dnalm.interpret.attribution import METHODS, attribute
from dnalm.interpret.mutation import Mutations
from dnalm.model.config import PoolHeadConfig, WideHeadConfig
from dnalm.model.scoring import token_nats
from dnalm.side_by_side import side_by_side
from dnalm.training.classify import train
from dnalm.training.config import ComputeConfig, OptimizerConfig, PretrainConfig, TrainConfig
from dnalm.training.loop import make_fabric
from dnalm.training.pretrain import pretrain
from dnalm.training.run import RunFolder

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
CUDA = {"accelerator": "cuda"}


@pytest.fixture(autouse=True)
def exact_matrix_products():
    """Without TF32, so that the two devices may be compared."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


@pytest.mark.parametrize("head", [PoolHeadConfig(width=7), aligned(40), WideHeadConfig(length=40, components=4)])
def test_a_classifier_says_the_same(tmp_path, head):
    folder = classifier_bundle(tmp_path / "toy", classifier(head)).folder
    codes = random_codes(400, unknown=0.02).reshape(10, 40)
    there, here = dnalm.load(folder, "cuda"), dnalm.load(folder, "cpu")
    np.testing.assert_allclose(there.logits(codes), here.logits(codes), atol=1e-4)
    for one, other in zip(there.logits_both_strands(codes), here.logits_both_strands(codes), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_a_language_model_says_the_same(tmp_path):
    folder = language_model_bundle(tmp_path / "lm").folder
    codes = random_codes(20_000)
    there, here = (token_nats(dnalm.load(folder, device).module, codes) for device in ("cuda", "cpu"))
    np.testing.assert_allclose(there, here, atol=1e-3)


def pretraining(tmp_path: Path, **changes) -> PretrainConfig:
    genome = write_genome(tmp_path / "toy.fna", 6000)
    fields = {"steps": 40, "lanes": 4, "tokens": 16, "validate_every": 10, "compute": CUDA}
    return PretrainConfig(genomes=[str(genome)], **{"encoder": tiny_encoder(), **fields, **changes})


def _bits(folder: Path) -> list[float]:
    """Bits a base at each look at the held-out text."""
    return [row["bits_per_base"] for row in RunFolder(folder).metrics() if "bits_per_base" in row]


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
def test_pretraining_at_each_precision(home, tmp_path, precision):
    config = pretraining(tmp_path, compute={**CUDA, "precision": precision}, dropout=0.5)
    figure = pretrain(config, tmp_path / "run").metrics["figures"]["bits_per_base"]
    assert 1.5 < figure["value"] < 2.5


def test_pretraining_goes_the_way_it_goes_on_the_cpu(home, tmp_path):
    figures = []
    for device in ("cuda", "cpu"):
        compute = {"accelerator": device, "precision": "32-true"}
        pretrain(pretraining(tmp_path, compute=compute), tmp_path / device)
        figures.append(_bits(tmp_path / device))
    np.testing.assert_allclose(figures[0], figures[1], atol=2e-3)


def test_a_run_goes_on_from_its_checkpoint(home, tmp_path):
    """The carried state, the optimizer and the device's random generator all come back."""

    class Killed(BaseException):
        pass

    def die(report):
        if report["step"] >= 20:
            raise Killed

    config = pretraining(tmp_path, steps=3000, dropout=0.5, checkpoint_seconds=0.2, validate_every=1000)
    pretrain(config, tmp_path / "whole")
    with pytest.raises(Killed):
        pretrain(config, tmp_path / "cut", die)
    state = json.loads((tmp_path / "cut" / "checkpoint" / "state.json").read_text())
    assert 0 < state["step"] < 3000
    pretrain(config, tmp_path / "cut")
    rows = [_bits(tmp_path / name) for name in ("whole", "cut")]
    # CUDA kernels may sum in another order each time: not bit for bit, as it is on the CPU.
    np.testing.assert_allclose(rows[0], rows[1], atol=5e-3)


@pytest.mark.parametrize("head", ["aligned", "wide", "ensemble"])
def test_a_classifier_learns(home, tmp_path, head):
    dataset = toy_dataset(tmp_path / "boxes", n=240)
    model = str(language_model_bundle(tmp_path / "lm").folder)
    config = TrainConfig(
        dataset=str(dataset.folder),
        model=model,
        head=head,
        epochs=12,
        epochs_frozen=1,
        dropout=0.1,
        batch_size=16,
        compute=CUDA,
        optimizer=OptimizerConfig(learning_rate=0.02),
    )
    bundle = train(config, tmp_path / "run")
    assert bundle.metrics["test"]["figures"]["auroc"]["value"] > 0.9
    # The bundle reads on a machine without a GPU.
    assert dnalm.load(bundle.folder, "cpu").predict([dataset.table["sequence"][1]])[0].probability > 0.5


def test_automatic_choices_take_the_gpu_and_say_so():
    fabric = make_fabric(ComputeConfig())
    assert fabric.device.type == "cuda"
    wanted = "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    assert fabric.strategy.precision.precision == wanted


@pytest.mark.parametrize("method", METHODS)
def test_attributions_agree_with_the_cpu(tmp_path, method):
    """cuDNN's LSTM has no gradient in evaluation mode: the native one is taken, and put back."""
    folder = classifier_bundle(
        tmp_path / "toy", classifier(aligned(40), WideHeadConfig(length=40, components=4))
    ).folder
    before = torch.backends.cudnn.enabled
    one, other = (
        attribute(dnalm.load(folder, device), [random_codes(40)], method=method, generator=np.random.default_rng(0))[0]
        for device in ("cpu", "cuda")
    )
    np.testing.assert_allclose(other.scores, one.scores, atol=1e-4)
    assert torch.backends.cudnn.enabled == before


@pytest.mark.parametrize("tolerance", [-1, 1e-6])
def test_mutations_agree_with_the_cpu(tmp_path, tolerance):
    head = WideHeadConfig(length=40, components=4, kmer=2, half_word=2, window_kmers=(3,), place_kmers=(2,))
    folder = classifier_bundle(tmp_path / "toy", classifier(aligned(40), head)).folder
    one, other = (
        Mutations(dnalm.load(folder, device), random_codes(40), tolerance=tolerance).saturation()
        for device in ("cpu", "cuda")
    )
    np.testing.assert_allclose(other.log_odds, one.log_odds, atol=1e-4)


def test_a_process_of_several_computes_on_the_gpu_that_it_was_given():
    with side_by_side(1, places.begin, 1, places.devices_of(1, torch.cuda.device_count())) as pool:
        assert pool.submit(torch.cuda.device_count).result() == 1
