"""Estimates before a run: parameters exact, memory beside real processes, steps as the run takes them, refusals."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from toy_models import language_model_bundle, tiny_encoder, toy_dataset, write_genome

from dnalm.errors import InputError
from dnalm.model.bundle import load_module
from dnalm.model.classifier import SequenceClassifier
from dnalm.model.config import PRESETS
from dnalm.model.track_model import BURN_IN
from dnalm.training import estimate as estimating
from dnalm.training import timing as timings
from dnalm.training.classify import train
from dnalm.training.config import FinetuneConfig, PretrainConfig, TrackTrainConfig, TrainConfig
from dnalm.training.estimate import estimate, refuse_what_cannot_run
from dnalm.training.finetune import finetune
from dnalm.training.machine import GIB, Machine
from dnalm.training.outline import finetuning, layer_names, pretraining, unfreezing
from dnalm.training.plans import language_model_parameters
from dnalm.training.pretrain import pretrain
from dnalm.training.run import RunFolder
from dnalm.training.schedule import one_cycle
from dnalm.training.timing import Timing, Workload, timing
from dnalm.training.track import Beginning
from dnalm.training.track_plan import track_plan

CPU = {"accelerator": "cpu", "threads": 1}
MEMORY_FACTOR = 1.4
"""How far the estimate may be from the peak of a real process, either way."""
ROOMY = Machine(memory=64 * GIB, disk_free=500 * GIB, cores=2, gpus=())


@pytest.fixture
def measured(monkeypatch):
    """A step takes 50 ms and a reading 10 ms, whatever it is."""
    monkeypatch.setattr(estimating, "timing", lambda work, measure=True: Timing(step=0.05, forward=0.01, gigaflops=50))


@pytest.fixture
def genome(home, tmp_path):
    return write_genome(tmp_path / "toy.fna", 100_000)


def tracked(genome, **changes) -> TrackTrainConfig:
    """A small track model, of which nothing but sizes counts here."""
    sizes = {"network": {"motifs": 8, "channels": 8, "dilations": [1, 2]}, "annotation_steps": 10, "steps": 30}
    fields = {**sizes, "compute": CPU, **changes}
    return TrackTrainConfig(genome=str(genome), starts="starts.tsv", **fields)


class TestTrackModels:
    def test_parameters_and_steps_are_those_of_all_its_networks(self, genome, tmp_path, measured):
        base = language_model_bundle(tmp_path / "toy-lm")
        config = tracked(genome, model=str(base.folder), members=3)
        found = estimate(config)
        one = Beginning.load(config).member(0)
        assert found.parameters == 3 * parameters(one)
        assert found.parts[0].steps == 3 * (10 + 30)
        assert [(stage.name, stage.steps) for stage in found.stages[:3]] == [
            ("annotation-1", 10),
            ("network-1", 30),
            ("annotation-2", 10),
        ]
        # Steps as they were timed, and three tenths of the genome read by each network.
        reading = 3 * 0.3 * 100_000 / (16 * (600 + 2 * (50 + BURN_IN)))
        assert found.seconds == pytest.approx(120 * 0.05 + reading * 0.01)

    @pytest.mark.parametrize("changes", [{}, {"from_scratch": True}])
    def test_a_real_step_is_timed(self, changes, genome, monkeypatch):
        monkeypatch.setattr(timings, "_SECONDS", 0.01)
        work = track_plan(tracked(genome, segment=100, batch_size=2, **changes)).work
        assert timings.measure(work).step > 0

    def test_a_file_of_another_kind_is_refused(self, genome, measured):
        config = tracked(genome).model_copy(update={"starts": "ecoli-k12-genes"})
        assert estimate(config).refusals == (
            "ecoli-k12-genes is a file of the kind annotation; starts wants one of sites",
        )


def parameters(module) -> int:
    return sum(weight.numel() for weight in module.parameters())


class TestParameters:
    def test_the_presets_by_hand(self):
        # Embedding of 4^4 k-mers, pad and unk; four gates over input and state with two biases; 64 continuations.
        small = 258 * 64 + 4 * 256 * (64 + 256 + 2) + 256 * 64 + 64
        assert language_model_parameters(PRESETS["small"], "continuation") == small == 362_688
        # Three layers, the last as wide as the embedding, whose weights the softmax shares; its bias alone is new.
        layers = 4 * 1150 * (400 + 1150 + 2) + 4 * 1150 * (1150 + 1150 + 2) + 4 * 400 * (1150 + 400 + 2)
        seed = 1026 * 400 + layers + 1026
        assert language_model_parameters(PRESETS["seed"], "vocabulary") == seed == 20_623_026

    def test_are_those_of_the_model_that_a_run_makes(self, genome, tmp_path, measured):
        from dnalm.training.finetune import load_language_model

        dataset = toy_dataset(tmp_path / "boxes")
        base = language_model_bundle(tmp_path / "toy-lm")
        tuning = FinetuneConfig(model=str(base.folder), dataset=str(dataset.folder), epochs=1, compute=CPU)
        made = finetune(tuning, tmp_path / "tuned")
        assert estimate(tuning).parameters == parameters(load_language_model(str(made.folder), 0.3)[1])
        for head in ("pool", "aligned", "wide"):
            config = TrainConfig(
                dataset=str(dataset.folder), model=str(base.folder), head=head, epochs=1, epochs_frozen=0, compute=CPU
            )
            bundle = train(config, tmp_path / head)
            module = load_module(bundle, lambda b=bundle: SequenceClassifier(b.config.members, 2))
            assert estimate(config).parameters == parameters(module)


class TestSteps:
    def test_are_those_that_the_runs_take(self, genome, tmp_path, measured):
        config = PretrainConfig(
            genomes=[str(genome)], epochs=0.5, lanes=16, tokens=32, encoder=tiny_encoder(), compute=CPU
        )
        pretrain(config, tmp_path / "run")
        plan = RunFolder(tmp_path / "run").document()["plan"]
        (stage,) = estimate(config).stages
        assert stage.steps == plan["steps"]
        assert stage.epochs == pytest.approx(plan["steps"] / plan["steps_per_epoch"])

        dataset = toy_dataset(tmp_path / "boxes")
        base = language_model_bundle(tmp_path / "toy-lm")
        config = TrainConfig(
            dataset=str(dataset.folder),
            model=str(base.folder),
            head="aligned",
            epochs=2,
            epochs_frozen=1,
            finetune_epochs=2,
            batch_size=16,
            compute=CPU,
        )
        train(config, tmp_path / "classified")
        planned = estimate(config).stages
        run = RunFolder(tmp_path / "classified")
        rows = [*RunFolder(run.path / "finetune").metrics(), *run.metrics()]
        taken = {row["phase"]: row["step"] for row in rows if "phase" in row}
        # The tuning phase's batches are of 64, its own default; with everything unfrozen it may stop early.
        exact = {stage.name: stage.steps for stage in planned if not stage.at_most}
        assert {name: taken[name] for name in exact} == exact
        assert taken["all"] <= planned[-1].steps

    def test_minutes_become_steps_by_the_step_that_was_timed(self, genome, measured):
        (part,) = estimate(PretrainConfig(genomes=[str(genome)], minutes=2, compute=CPU)).parts
        assert part.steps == 2 * 60 / 0.05
        assert part.seconds == pytest.approx(120, rel=0.05)

    def test_frozen_layers_make_a_step_cheaper(self, home, tmp_path, measured):
        dataset, base = toy_dataset(tmp_path / "boxes"), language_model_bundle(tmp_path / "toy-lm")
        told = {"dataset": str(dataset.folder), "model": str(base.folder), "head": "aligned", "compute": CPU}
        head_alone = estimate(TrainConfig(**told, epochs_frozen=6, epochs=0))
        everything = estimate(TrainConfig(**told, epochs_frozen=0, epochs=12))
        layers = base.config.encoder.layers + 2
        assert head_alone.parts[0].steps == (layers - 1) * 6 * everything.parts[0].steps / 12
        per_step = [found.seconds / found.parts[0].steps for found in (head_alone, everything)]
        assert per_step[0] < per_step[1]


class TestSchedule:
    def test_pretraining_moves_every_layer_alike(self):
        (stage,) = pretraining(PretrainConfig(genomes=["x"]), 1000, 500)
        assert stage.factors == (1.0, 1.0, 1.0)
        assert stage.epochs == 2
        assert stage.rate(100) == pytest.approx(4e-3)
        assert stage.rate(700) == 4e-3 * one_cycle(700, 1000, 0.1)

    def test_lower_layers_learn_more_slowly_when_fine_tuned(self):
        (stage,) = finetuning(FinetuneConfig(model="m", dataset="d"), batches=10, layers=3)
        assert stage.steps == 30
        assert stage.factors == pytest.approx([2.6**-4, 2.6**-3, 2.6**-2, 2.6**-1, 1])
        assert len(layer_names(3)) == len(stage.factors)

    def test_layers_thaw_one_at_a_time_from_the_top(self):
        stages = unfreezing(TrainConfig(dataset="d", epochs_frozen=2, epochs=8), batches=5, layers=1)
        assert [(stage.name, stage.steps) for stage in stages] == [("head", 10), ("top-1", 10), ("all", 40)]
        assert [[factor > 0 for factor in stage.factors] for stage in stages] == [
            [False, False, True],
            [False, True, True],
            [True, True, True],
        ]
        assert stages[-1].at_most

    def test_a_rate_that_is_to_be_found_is_drawn_as_a_share(self):
        told = PretrainConfig(genomes=["x"], optimizer={"learning_rate": "find"})
        (stage,) = pretraining(told, 100, 50)
        assert stage.peak is None
        assert stage.rate(10) == pytest.approx(1)


PEAK = """
import re, sys
from pathlib import Path
from dnalm.training.config import PretrainConfig
from dnalm.training.pretrain import pretrain
config = PretrainConfig.model_validate_json(sys.stdin.read())
pretrain(config, Path(sys.argv[1]))
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is read from /proc")
@pytest.mark.parametrize(
    "changes",
    [
        {"lanes": 8},  # the process itself
        {"lanes": 64, "tokens": 320},  # activations
        {"lanes": 16, "encoder": {"hidden": 1200, "embedding": 64}},  # weights, moments and the checkpoint
        {"lanes": 32, "tokens": 128, "head": "vocabulary"},  # the softmax over all k-mers
    ],
    ids=["process", "activations", "weights", "vocabulary"],
)
def test_memory_is_that_of_a_real_run(changes, genome, tmp_path, measured):
    config = PretrainConfig(genomes=[str(genome)], **{"steps": 2, "held_out": 0, "compute": CPU, **changes})
    command = [sys.executable, "-c", PEAK, str(tmp_path / "run")]
    done = subprocess.run(
        command, input=config.model_dump_json(), capture_output=True, text=True, timeout=120, check=True
    )
    # Not getrusage's peak: a new process inherits that of the one that started it.
    peak = int(done.stdout.split()[-1]) * 1024
    found = estimate(config).memory
    assert peak / MEMORY_FACTOR < found < peak * MEMORY_FACTOR


class TestRefusals:
    def refused(self, config) -> str:
        found = estimate(config, measure=False)
        assert found.parts[0].seconds is None
        assert len(found.refusals) == 1
        with pytest.raises(InputError):
            refuse_what_cannot_run(config)
        return found.refusals[0]

    def machine(self, monkeypatch, **changes):
        fields = {name: getattr(ROOMY, name) for name in ("memory", "disk_free", "cores", "gpus")}
        monkeypatch.setattr(estimating, "this_machine", lambda folder: Machine(**{**fields, **changes}))

    def test_more_memory_than_the_machine_has(self, genome, monkeypatch):
        self.machine(monkeypatch, memory=1 * GIB)
        config = PretrainConfig(genomes=[str(genome)], encoder={"hidden": 4096})
        assert "of memory; this machine has 1.0 GiB: take fewer lanes" in self.refused(config)

    def test_more_than_the_gpu_has_where_there_is_one(self, genome, monkeypatch):
        self.machine(monkeypatch, gpus=(("Small One", 2 * GIB),))
        config = PretrainConfig(genomes=[str(genome)], encoder={"hidden": 4096})
        assert "of GPU memory; Small One has 2.0 GiB" in self.refused(config)
        on_cpu = config.model_copy(update={"compute": config.compute.model_copy(update={"accelerator": "cpu"})})
        assert not estimate(on_cpu, measure=False).refusals

    def test_more_disk_than_is_free(self, genome, monkeypatch):
        self.machine(monkeypatch, disk_free=1 << 20)
        assert "has 1 MiB left" in self.refused(PretrainConfig(genomes=[str(genome)]))

    def test_a_genome_shorter_than_a_step_needs(self, home, tmp_path, monkeypatch):
        self.machine(monkeypatch)
        short = write_genome(tmp_path / "short.fna", 1000)
        # 900 bases are not held out, twice; a lane has 56 of the 196 that a step reads.
        text = "the training text of 1,800 bases is too short for 32 lanes of 196 bases"
        assert text in self.refused(PretrainConfig(genomes=[str(short)]))

    def test_a_gpu_that_is_not_there(self, genome, monkeypatch):
        self.machine(monkeypatch)
        told = PretrainConfig(genomes=[str(genome)], compute={"accelerator": "cuda"})
        assert "compute.accelerator: this machine has no GPU" in self.refused(told)
        self.machine(monkeypatch, gpus=(("One", 80 * GIB),))
        told = PretrainConfig(genomes=[str(genome)], compute={"devices": 2})
        assert "2 GPUs are asked for; this machine has 1" in self.refused(told)

    def test_what_is_not_there_is_named(self, home, tmp_path):
        with pytest.raises(InputError, match=r"nowhere\.fna: no such file, and no such genome"):
            estimate(PretrainConfig(genomes=["nowhere.fna"]))
        dataset = toy_dataset(tmp_path / "boxes")
        with pytest.raises(InputError, match="no model 'gone'"):
            estimate(FinetuneConfig(model="gone", dataset=str(dataset.folder)))


class TestTiming:
    def test_a_step_is_timed_once_and_then_remembered(self, home, monkeypatch):
        work = Workload(encoder=tiny_encoder(), rows=4, length=64, compute=CPU)
        assert timing(work, measure=False) is None
        found = timing(work)
        assert 0 < found.forward < found.step < 5
        monkeypatch.setattr(timings.subprocess, "run", lambda *a, **k: pytest.fail("timed again"))
        assert timing(work) == found
        assert timing(work, measure=False) == found
        assert timing(work.model_copy(update={"rows": 5}), measure=False) is None

    @pytest.mark.parametrize(
        "change",
        [
            lambda patch: patch.setattr(timings, "processor", lambda: "another processor"),
            lambda patch: patch.setattr(timings, "dnalm_version", lambda: "9.9"),
            lambda patch: patch.setattr(timings.torch, "__version__", "9.9"),
            lambda patch: patch.setenv("OMP_NUM_THREADS", "64"),
        ],
        ids=["processor", "dnalm", "torch", "threads"],
    )
    def test_what_was_timed_elsewhere_or_by_another_version_does_not_count(self, home, monkeypatch, change):
        work = self.timed(monkeypatch)
        assert timing(work, measure=False) is not None
        change(monkeypatch)
        assert timing(work, measure=False) is None

    @pytest.mark.parametrize("days", [31, -31])
    def test_a_timing_is_believed_for_thirty_days(self, home, monkeypatch, days):
        work = self.timed(monkeypatch)
        (kept,) = (home / "cache" / "timings").iterdir()
        os.utime(kept, (time.time() - days / 31 * 29 * 86400,) * 2)
        assert timing(work, measure=False) is not None
        os.utime(kept, (time.time() - days * 86400,) * 2)
        assert timing(work, measure=False) is None
        # Timing anything clears away what is too old.
        timing(work.model_copy(update={"rows": 5}))
        assert [path.name for path in (home / "cache" / "timings").iterdir()] != [kept.name]
        assert not kept.exists()

    def timed(self, monkeypatch) -> Workload:
        """A step that was timed just now, without the seconds that it takes."""
        monkeypatch.setattr(timings, "_measured", lambda work: Timing(step=0.2, forward=0.1, gigaflops=50))
        work = Workload(encoder=tiny_encoder(), rows=4, length=64, compute=CPU)
        timing(work)
        return work


class TestShell:
    def test_estimate_prints_what_it_takes_and_starts_nothing(self, genome, home, measured):
        import json

        from typer.testing import CliRunner

        from dnalm.cli import app

        told = ["pretrain", str(genome), "--minutes", "2", "--estimate"]
        shown = CliRunner().invoke(app, told)
        assert shown.exit_code == 0, shown.output
        assert "362,688" in shown.stdout
        assert "2,400 steps of 50 ms" in shown.stdout
        found = json.loads(CliRunner().invoke(app, [*told, "--json"]).stdout)
        assert (found["parameters"], found["phases"][0]["steps"]) == (362_688, 2400)
        assert found["refusals"] == []
        assert not (home / "runs").exists()

    def test_what_cannot_run_is_wrong_input(self, genome, home, measured):
        from typer.testing import CliRunner

        from dnalm.cli import app

        told = ["pretrain", str(genome), "--estimate", "--set", "lanes=4096"]
        refused = CliRunner().invoke(app, told)
        assert refused.exit_code == 2
        assert "too short for 4096 lanes" in refused.output
