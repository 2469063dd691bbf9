"""The three phases end to end on tiny data: bundles, figures, cards, and mistakes that are named."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from toy_models import language_model_bundle, random_codes, tiny_encoder, toy_dataset, write_genome

import dnalm
from dnalm.alphabet import decode
from dnalm.datasets.dataset import Dataset, table_of
from dnalm.errors import InputError, RunError
from dnalm.training.classify import train
from dnalm.training.config import ANY_CONFIG, FinetuneConfig, OptimizerConfig, PretrainConfig, TrainConfig
from dnalm.training.finetune import finetune, load_language_model
from dnalm.training.listing import summarise
from dnalm.training.pretrain import pretrain
from dnalm.training.run import RunFolder

CPU = {"accelerator": "cpu", "threads": 1}
BATCH = {"batch_size": 16, "compute": CPU, "checkpoint_seconds": 1000}


def pretraining(genome, **changes) -> PretrainConfig:
    fields = {"steps": 20, "lanes": 4, "tokens": 16, "validate_every": 10, "encoder": tiny_encoder(), "compute": CPU}
    return PretrainConfig(genomes=[str(genome)], **{**fields, **changes})


@pytest.fixture
def genome(home, tmp_path):
    return write_genome(tmp_path / "toy.fna", 6000)


@pytest.fixture
def model(home, tmp_path):
    return str(language_model_bundle(tmp_path / "toy-lm").folder)


@pytest.fixture
def dataset(home, tmp_path):
    return toy_dataset(tmp_path / "boxes")


def training(dataset, model=None, **changes) -> TrainConfig:
    fields = {"dataset": str(dataset.folder), "model": model, "from_scratch": model is None, "head": "aligned"}
    return TrainConfig(**{**fields, **BATCH, "epochs": 3, "epochs_frozen": 1, **changes})


class TestPretraining:
    def test_leaves_a_whole_run_folder(self, genome, tmp_path):
        seen = []
        bundle = pretrain(pretraining(genome, name="mine"), tmp_path / "run", seen.append)
        run = RunFolder(tmp_path / "run")
        assert bundle.name == "mine"
        rows = run.metrics()
        assert [row["step"] for row in rows] == list(range(1, 21))  # so short a run: a point of the curve each step
        assert [row["step"] for row in rows if "bits_per_base" in row] == [10, 20]
        assert all(1.5 < row.get("bits_per_base", 2) < 2.5 for row in rows)
        # Two bases a token; and the curve begins at two bits, where nothing is known of the text.
        assert rows[0]["train_bits_per_base"] == pytest.approx(rows[0]["train_loss"] / np.log(2) / 2)
        assert rows[0]["train_bits_per_base"] == pytest.approx(2, abs=0.2)
        assert summarise(run.path).state == "succeeded"
        document = run.document()
        assert document["plan"] == {
            "steps": 20,
            "learning_rate": 0.004,
            "steps_per_epoch": document["plan"]["steps_per_epoch"],
        }
        assert len(document["data"]["sources"][0]["sha256"]) == 64
        assert {"curve.png", "result.json", "progress.json", "checkpoint", "bundle"} <= {
            path.name for path in run.path.iterdir()
        }
        assert seen[-1]["step"] == 20
        assert "dnalm pretrain --config pretrain.yaml" in bundle.card

    def test_the_figure_is_of_the_held_out_text(self, genome, tmp_path):
        bundle = pretrain(pretraining(genome), tmp_path / "run")
        figure = bundle.metrics["figures"]["bits_per_base"]
        held_out = np.append(random_codes(6000)[5400:], 4).astype(np.uint8)
        bits = dnalm.load(bundle.folder).bits(held_out)
        assert figure["value"] == pytest.approx(bits.mean(), abs=1e-6)
        assert figure["n"] == len(bits) * 2
        assert figure["low"] <= figure["value"] <= figure["high"]
        perplexity = bundle.metrics["figures"]["perplexity"]["value"]
        assert perplexity == pytest.approx(2 ** (2 * figure["value"]))

    def test_a_repeated_genome_is_learned(self, home, tmp_path):
        unit = decode(random_codes(30, seed=5))
        (tmp_path / "repeat.fna").write_text(f">r\n{unit * 200}\n")
        config = pretraining(tmp_path / "repeat.fna", steps=250, both_strands=False, optimizer={"learning_rate": 0.02})
        figure = pretrain(config, tmp_path / "run").metrics["figures"]["bits_per_base"]
        assert figure["value"] < 0.2

    def test_the_same_seed_gives_the_same_bits_whatever_else_draws(self, genome, tmp_path):
        config = pretraining(genome, dropout=0.5)
        weights = []
        for number, seed in enumerate((0, 0, 1)):
            torch.manual_seed(number)
            bundle = pretrain(config.model_copy(update={"seed": seed}), tmp_path / str(number))
            weights.append((bundle.folder / "model.safetensors").read_bytes())
        assert weights[0] == weights[1] != weights[2]

    def test_nothing_held_out_nothing_measured(self, genome, tmp_path):
        bundle = pretrain(pretraining(genome, held_out=0), tmp_path / "run")
        assert bundle.metrics["figures"] == {}
        assert "Nothing was held out" in bundle.card

    def test_held_out_text_of_unknown_bases_measures_nothing(self, home, tmp_path):
        (tmp_path / "n.fna").write_text(f">r\n{decode(random_codes(2000))}{'N' * 300}\n")
        assert pretrain(pretraining(tmp_path / "n.fna"), tmp_path / "run").metrics["figures"] == {}

    @pytest.mark.parametrize(
        "changes",
        [
            {"preset": "seed", "encoder": tiny_encoder(k=5, layers=3, tied=True), "dropout": 0.1},
            {"head": "vocabulary", "activation_penalty": 2.0, "temporal_penalty": 1.0},
            {"encoder": tiny_encoder(k=2, stride=5, layers=2)},
            {"encoder": tiny_encoder(tied=True), "head": "vocabulary"},
            {"optimizer": {"learning_rate": "find"}},
            {"steps": None, "epochs": 0.5},
        ],
    )
    def test_runs_as_told(self, genome, tmp_path, changes):
        bundle = pretrain(pretraining(genome, **changes), tmp_path / "run")
        assert 1 < bundle.metrics["figures"]["bits_per_base"]["value"] < 6
        assert dnalm.load(bundle.folder).module.config == bundle.config.encoder

    def test_a_rate_that_diverges_is_one_sentence(self, genome, tmp_path):
        config = pretraining(genome, optimizer=OptimizerConfig(learning_rate=1e38, warmup=0.5))
        with pytest.raises(RunError) as caught:
            pretrain(config, tmp_path / "run")
        assert "take a lower learning rate (now 1e+38)" in str(caught.value)
        run = summarise(tmp_path / "run")
        assert run.state == "failed"
        assert run.progress["error"] == str(caught.value)

    def test_lanes_too_many_for_the_text(self, genome, tmp_path):
        with pytest.raises(InputError, match="too short for 4000 lanes"):
            pretrain(pretraining(genome, lanes=4000), tmp_path / "run")
        assert summarise(tmp_path / "run").state == "failed"


class TestFinetuning:
    def config(self, dataset, model, **changes) -> FinetuneConfig:
        return FinetuneConfig(**{"dataset": str(dataset.folder), "model": model, "epochs": 3, **BATCH, **changes})

    def test_the_language_model_learns_the_task_s_text(self, dataset, model, tmp_path):
        rates = {"learning_rate": 0.02}
        bundle = finetune(self.config(dataset, model, epochs=8, dropout=0, optimizer=rates), tmp_path / "run")
        figures = bundle.metrics["figures"]
        assert figures["bits_per_base"]["value"] < figures["bits_per_base_before"]["value"]
        assert bundle.config.kind == "language-model"
        assert bundle.config.parents[0].startswith("toy-lm ")
        assert summarise(tmp_path / "run").state == "succeeded"

    def test_the_best_epoch_is_kept(self, dataset, model, tmp_path):
        # A rate at which later epochs are worse.
        bundle = finetune(self.config(dataset, model, epochs=6, optimizer={"learning_rate": 0.3}), tmp_path / "run")
        best = min(row.get("bits_per_base", 9) for row in RunFolder(tmp_path / "run").metrics())
        assert bundle.metrics["figures"]["bits_per_base"]["value"] == pytest.approx(best, abs=1e-6)

    def test_a_rate_may_be_found(self, dataset, model, tmp_path):
        finetune(self.config(dataset, model, epochs=1, optimizer={"learning_rate": "find"}), tmp_path / "run")
        rows = RunFolder(tmp_path / "run").metrics()
        assert 0 < rows[-1]["learning_rate"] < 1

    def test_a_classifier_is_refused(self, dataset, tmp_path):
        bundle = train(training(dataset, epochs=1), tmp_path / "classifier")
        with pytest.raises(InputError, match="a classifier; a language model is wanted here"):
            finetune(self.config(dataset, str(bundle.folder)), tmp_path / "run")

    def test_dropout_rates_are_the_published_ones_times_a_factor(self, model):
        _, loaded = load_language_model(model, 0.5)
        assert loaded.config.weight_dropout == 0.1
        assert loaded.encoder.layers[0].drop.rate == 0.1


class TestTraining:
    @pytest.mark.parametrize("head", ["pool", "aligned", "wide", "ensemble"])
    def test_each_head_finds_a_planted_box(self, tmp_path, home, model, head):
        dataset = toy_dataset(tmp_path / "boxes", n=240)
        config = training(dataset, model, head=head, epochs=12, dropout=0.1, optimizer={"learning_rate": 0.02})
        bundle = train(config, tmp_path / "run")
        test = bundle.metrics["test"]
        assert test["n"] == 40
        assert test["figures"]["auroc"]["value"] > (0.75 if head == "pool" else 0.9)
        loaded = dnalm.load(bundle.folder)
        assert loaded.config.window == 20
        assert loaded.config.anchor == 12
        rows = dataset.part("test")
        calls = loaded.predict(rows["sequence"])
        accuracy = np.mean([call.label == label for call, label in zip(calls, rows["label"], strict=True)])
        assert accuracy == pytest.approx(test["figures"]["accuracy"]["value"])
        assert bundle.config.parents[0].startswith("toy-lm ")

    def test_unfreezing_goes_from_the_head_down(self, dataset, model, tmp_path):
        train(training(dataset, model), tmp_path / "run")
        rows = RunFolder(tmp_path / "run").metrics()
        assert list(dict.fromkeys(row["phase"] for row in rows)) == ["head", "top-1", "all"]
        validated = [row for row in rows if "loss" in row]
        assert [row["phase"] for row in validated].count("all") <= 3
        assert all(-1 <= row["mcc"] <= 1 for row in validated)

    def test_frozen_layers_stay(self, dataset, model, tmp_path):
        bundle = train(training(dataset, model, epochs=0, epochs_frozen=2), tmp_path / "run")
        trained = dnalm.load(bundle.folder).module.members[0].encoder.state_dict()
        before = dnalm.load(model).module.encoder.state_dict()
        assert torch.equal(trained["embedding.weight"], before["embedding.weight"])  # `top-1` is the last layer up
        assert not torch.equal(trained["layers.0.lstm.weight_hh_l0"], before["layers.0.lstm.weight_hh_l0"])

    def test_without_a_model_all_three_phases(self, genome, dataset, tmp_path):
        config = TrainConfig(
            dataset=str(dataset.folder), pretrain=pretraining(genome), finetune_epochs=1, head="wide", **BATCH
        )
        seen = []
        bundle = train(config, tmp_path / "run", seen.append)
        assert {report["phase"] for report in seen} == {"pretrain", "finetune", "wide"}
        assert [parent.split()[0] for parent in bundle.config.parents] == ["finetune", "pretrain"]
        for phase in ("pretrain", "finetune"):
            assert summarise(tmp_path / "run" / phase).state == "succeeded"
        before = (tmp_path / "run" / "pretrain" / "result.json").stat().st_mtime_ns
        train(config, tmp_path / "run")
        assert (tmp_path / "run" / "pretrain" / "result.json").stat().st_mtime_ns == before

    def test_several_classes_of_mixed_lengths(self, home, model, tmp_path):
        rows = []
        for number in range(120):
            label = "abc"[number % 3]
            codes = random_codes(20 + number % 17, seed=number)
            codes[::2] = "abc".index(label)
            split = ("train", "train", "train", "valid", "test")[number // 3 % 5]
            rows.append(
                {
                    "id": f"s{number}",
                    "sequence": decode(codes),
                    "label": label,
                    "split": split,
                    "source": "made up",
                    "in_demo_region": False,
                }
            )
        dataset = Dataset(table_of(rows), {"name": "three"})
        dataset.save(tmp_path / "three")
        options = {"epochs": 6, "class_weights": True, "label_smoothing": 0.1, "optimizer": {"learning_rate": 0.02}}
        bundle = train(training(dataset, model, head="pool", **options), tmp_path / "run")
        loaded = dnalm.load(bundle.folder)
        assert loaded.config.labels == ["a", "b", "c"]
        assert loaded.config.window is None
        assert loaded.config.threshold is None
        assert bundle.metrics["test"]["figures"]["accuracy"]["value"] > 0.8
        with pytest.raises(InputError, match="head aligned: the training sequences differ in length"):
            train(training(dataset, model), tmp_path / "other")

    def test_few_labels_take_their_validation_from_among_them(self, home, model, tmp_path):
        dataset = toy_dataset(tmp_path / "boxes", n=240)
        train(training(dataset, model, train_limit=40, head="wide"), tmp_path / "run")
        data = RunFolder(tmp_path / "run").document()["data"]
        assert (data["train"], data["valid"]) == (30, 10)

    def test_the_demo_region_is_not_learned_from(self, home, model, tmp_path):
        dataset = toy_dataset(tmp_path / "boxes")
        dataset.table.loc[dataset.table.index[:5], "in_demo_region"] = True
        dataset.save(tmp_path / "boxes")
        train(training(dataset, model, head="wide"), tmp_path / "run")
        data = RunFolder(tmp_path / "run").document()["data"]
        assert data["train"] == len(dataset.part("train")) - 5

    def test_a_random_encoder_says_so(self, dataset, tmp_path):
        bundle = train(training(dataset, head="wide"), tmp_path / "run")
        assert bundle.config.parents == ["none: a random encoder"]

    @pytest.mark.parametrize("choice", ["mcc", "f1", "accuracy", "none"])
    def test_the_threshold_is_chosen_on_validation(self, dataset, model, tmp_path, choice):
        bundle = train(training(dataset, model, head="wide", threshold_by=choice), tmp_path / "run")
        assert (bundle.config.threshold == 0.5) == (choice == "none") or 0 < bundle.config.threshold < 1

    def test_a_model_that_is_not_there(self, dataset, tmp_path):
        with pytest.raises(InputError, match="no model 'nowhere'"):
            train(training(dataset, "nowhere"), tmp_path / "run")
        assert "no model 'nowhere'" in summarise(tmp_path / "run").progress["error"]


class TestConfiguration:
    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"phase": "pretrain", "genomes": []}, "genomes"),
            (
                {"phase": "pretrain", "genomes": ["g"], "minutes": 1, "steps": 3},
                "budget is given twice, as minutes and steps",
            ),
            ({"phase": "pretrain", "genomes": ["g"], "step": 3}, "Extra inputs"),
            ({"phase": "pretrain", "genomes": ["g"], "optimizer": {"learning_rate": -1}}, "greater than 0"),
            ({"phase": "pretrain", "genomes": ["g"], "optimizer": {"learning_rate": float("nan")}}, "learning_rate"),
            (
                {"phase": "pretrain", "genomes": ["g"], "held_out": 0.2, "held_out_records": ["r"]},
                "give held_out or held_out_records, not both",
            ),
            ({"phase": "train", "dataset": "d", "model": "m", "from_scratch": True}, "give one of model, pretrain"),
            ({"phase": "predict"}, "phase"),
        ],
    )
    def test_mistakes_are_named(self, fields, words):
        with pytest.raises(ValidationError, match=words):
            ANY_CONFIG.validate_python(fields)

    def test_a_configuration_survives_json(self, genome):
        config = pretraining(genome, optimizer={"learning_rate": "find"})
        assert ANY_CONFIG.validate_python(json.loads(config.model_dump_json())) == config

    def test_presets(self):
        small, seed = PretrainConfig(genomes=["g"]), PretrainConfig(genomes=["g"], preset="seed")
        assert small.resolved_head() == "continuation"
        assert small.resolved_encoder().weight_dropout == 0
        assert seed.resolved_head() == "vocabulary"
        assert seed.resolved_encoder().weight_dropout == 0.2
        assert seed.resolved_encoder().layer_sizes() == [(400, 1150), (1150, 1150), (1150, 400)]
