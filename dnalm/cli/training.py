"""`dnalm pretrain`, `finetune` and `train`: a run folder, and the phase that fills it."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dnalm.cli.fields import build
from dnalm.cli.frame import Json, say
from dnalm.errors import InputError

if TYPE_CHECKING:
    from dnalm.training.config import RunConfig

THREE_PHASE_EPOCHS = 3
"""Epochs of phase 2 where one command does all three phases."""

Genomes = Annotated[
    list[str] | None, typer.Argument(help="Sequence files, or names in the catalogue.", metavar="[GENOME...]")
]
Dataset = Annotated[str | None, typer.Option(help="A labelled set: its name, or its folder.")]
Name = Annotated[str | None, typer.Option(help="Name of the model; the run folder's name begins with it.")]
Seed = Annotated[int | None, typer.Option(min=0, help="The same seed gives the same model.")]
Home = Annotated[Path | None, typer.Option(help="Where runs live; else DNALM_HOME.")]
Config = Annotated[Path | None, typer.Option(help="YAML with fields, or another run's config.yaml.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Any field: FIELD=VALUE, as optimizer.clip=0.5.")]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps.")]
Devices = Annotated[int | None, typer.Option(min=1, help="GPUs, or processes, that train together.")]
Threads = Annotated[int | None, typer.Option(min=0, help="Processor threads.")]
EstimateOnly = Annotated[bool, typer.Option("--estimate", help="Say what it will take, and start nothing.")]
Minutes = Annotated[float | None, typer.Option(help="Wall-clock budget of pre-training.")]
Preset = Annotated[str | None, typer.Option(help="small: two cores; seed: the published size, for GPUs.")]


def pretrain(
    genomes: Genomes = None,
    preset: Preset = None,
    minutes: Minutes = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the text, instead of minutes.")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimizer steps, instead of minutes.")] = None,
    held_out: Annotated[float | None, typer.Option(help="Last share of each genome kept out.")] = None,
    hold_out_record: Annotated[list[str] | None, typer.Option(help="A record kept out whole; repeatable.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="A region cut out, RECORD:FIRST-LAST; repeatable.")] = None,
    exclude_matches: Annotated[
        str | None, typer.Option(help="A labelled set whose sequences are cut out of the text.")
    ] = None,
    both_strands: Annotated[
        bool | None, typer.Option("--both-strands/--forward-only", help="Read the reverse complement too.")
    ] = None,
    name: Name = None,
    seed: Seed = None,
    home: Home = None,
    config: Config = None,
    sets: Set = None,
    device: Device = None,
    devices: Devices = None,
    threads: Threads = None,
    estimate: EstimateOnly = False,
    as_json: Json = False,
) -> None:
    """Phase 1: train a language model on genomes. Prints the run folder."""
    from dnalm.training.config import PretrainConfig

    options = {
        **{"genomes": genomes or None, "preset": preset, "minutes": minutes, "epochs": epochs, "steps": steps},
        **{"held_out": held_out, "held_out_records": hold_out_record, "exclude": exclude},
        **{"exclude_matches": exclude_matches, "both_strands": both_strands},
        **_common(name, seed, device, devices, threads),
    }
    _start(build(PretrainConfig, options, config, sets or ()), home, as_json, estimate)


def finetune(
    model: Annotated[str | None, typer.Option(help="A language model: its name, or its folder.")] = None,
    dataset: Dataset = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the training sequences.")] = None,
    name: Name = None,
    seed: Seed = None,
    home: Home = None,
    config: Config = None,
    sets: Set = None,
    device: Device = None,
    devices: Devices = None,
    threads: Threads = None,
    estimate: EstimateOnly = False,
    as_json: Json = False,
) -> None:
    """Phase 2: go on training a language model with the training sequences of a task. Prints the run folder."""
    from dnalm.training.config import FinetuneConfig

    options = {
        **{"model": model, "dataset": dataset, "epochs": epochs},
        **_common(name, seed, device, devices, threads),
    }
    _start(build(FinetuneConfig, options, config, sets or ()), home, as_json, estimate)


class Task(StrEnum):
    """What is trained on a language model's encoder."""

    CLASSIFY = "classify"
    TRACK = "track"


Regions = Annotated[list[str] | None, typer.Option(help="With --task track: RECORD:FIRST-LAST; repeatable.")]


def train(
    dataset: Dataset = None,
    task: Annotated[
        Task, typer.Option(help="classify: labelled sequences; track: a model that scans.")
    ] = Task.CLASSIFY,
    model: Annotated[str | None, typer.Option(help="A language model to start from; else one is pre-trained.")] = None,
    preset: Preset = None,
    minutes: Minutes = None,
    genome: Annotated[
        list[str] | None, typer.Option(help="Genome to pre-train on; repeatable. Else the set's own.")
    ] = None,
    from_scratch: Annotated[bool, typer.Option("--from-scratch", help="A random encoder, for comparison.")] = False,
    finetune_epochs: Annotated[int | None, typer.Option(min=0, help="Epochs of phase 2; 0 leaves it out.")] = None,
    head: Annotated[str | None, typer.Option(help="pool, aligned, wide or ensemble.")] = None,
    epochs: Annotated[int | None, typer.Option(min=0, help="Most epochs with everything unfrozen.")] = None,
    train_limit: Annotated[int | None, typer.Option(min=2, help="Use only so many training sequences.")] = None,
    class_weights: Annotated[bool | None, typer.Option("--class-weights/--no-class-weights")] = None,
    starts: Annotated[str | None, typer.Option(help="With --task track: known start sites, TSV, GFF3 or BED.")] = None,
    annotation: Annotated[str | None, typer.Option(help="With --task track: genes; else the genome's own.")] = None,
    train_region: Regions = None,
    valid_region: Regions = None,
    test_region: Regions = None,
    steps: Annotated[int | None, typer.Option(min=1, help="With --task track: optimizer steps.")] = None,
    name: Name = None,
    seed: Seed = None,
    home: Home = None,
    config: Config = None,
    sets: Set = None,
    device: Device = None,
    devices: Devices = None,
    threads: Threads = None,
    estimate: EstimateOnly = False,
    as_json: Json = False,
) -> None:
    """Phase 3: train a classifier on a language model's encoder. Without --model, all three phases.

    With --task track, a model that scans: of a genome, its annotation and known start sites. Prints the run folder.
    """
    from dnalm.training.config import TrackTrainConfig, TrainConfig

    common = _common(name, seed, device, devices, threads)
    of_tracks = {
        **{"starts": starts, "annotation": annotation, "steps": steps},
        **{"train": train_region, "valid": valid_region, "test": test_region},
    }
    of_classifiers = {
        **{"dataset": dataset, "head": head, "epochs": epochs, "train_limit": train_limit, "preset": preset},
        **{"finetune_epochs": finetune_epochs, "minutes": minutes, "class_weights": class_weights},
    }
    _only_of(task, of_classifiers if task is Task.TRACK else of_tracks)
    if task is Task.TRACK:
        if genome and len(genome) > 1:
            raise InputError("--task track reads one genome")
        options = {
            **{"genome": genome[0] if genome else None, "model": model, "from_scratch": from_scratch or None},
            **of_tracks,
            **common,
        }
        _start(build(TrackTrainConfig, options, config, sets or ()), home, as_json, estimate)
        return
    options = {
        **{"dataset": dataset, "model": model, "from_scratch": from_scratch or None, "head": head},
        **{"finetune_epochs": finetune_epochs, "epochs": epochs, "train_limit": train_limit},
        **{"class_weights": class_weights, "pretrain.preset": preset, "pretrain.minutes": minutes},
        **{"pretrain.genomes": genome, **common},
    }
    if model is not None or from_scratch:
        if preset or minutes or genome:
            raise InputError("--preset, --minutes and --genome are of pre-training; --model and --from-scratch do none")
    elif config is None:
        options["pretrain.genomes"] = genome or _genomes_of(dataset)
        options |= {
            f"pretrain.{field}": value for field, value in _common(None, seed, device, devices, threads).items()
        }
        options["finetune_epochs"] = THREE_PHASE_EPOCHS if finetune_epochs is None else finetune_epochs
    _start(build(TrainConfig, options, config, sets or ()), home, as_json, estimate)


def _only_of(task: Task, options: dict[str, Any]) -> None:
    """Refuse options of the other task."""
    if given := [name for name, value in options.items() if value is not None]:
        words = {"train": "train-region", "valid": "valid-region", "test": "test-region"}
        raise InputError(f"--{words.get(given[0], given[0]).replace('_', '-')} does not go with --task {task.value}")


def _genomes_of(dataset: str | None) -> list[str] | None:
    """The genomes that a labelled set was cut from, for pre-training; else E. coli's."""
    from dnalm.datasets.recipes import load_or_make
    from dnalm.training.classify import genomes_of

    if dataset is None:
        return None
    return genomes_of(load_or_make(dataset))


def _common(
    name: str | None, seed: int | None, device: str | None, devices: int | None, threads: int | None
) -> dict[str, Any]:
    compute = {"compute.accelerator": device, "compute.devices": devices, "compute.threads": threads}
    return {"name": name, "seed": seed, **compute}


def _start(config: RunConfig, home: Path | None, as_json: bool, estimate: bool) -> None:
    """Make the run folder, then run it; or only say what it will take."""
    from dnalm.cli.running import execute
    from dnalm.settings import settings
    from dnalm.training.launch import check_sources, make_run_folder

    if home is not None:
        # Processes that this one starts are to find the same place.
        os.environ["DNALM_HOME"] = str(home.resolve())
        settings.cache_clear()
    if estimate:
        from dnalm.cli.estimate import print_estimate

        print_estimate(config, as_json)
        return
    check_sources(config)
    folder = make_run_folder(config).path
    say(f"run folder {folder}")
    if config.compute.devices > 1:
        # Its other processes repeat this one's command line, which must therefore name the run folder.
        arguments = ["-m", "dnalm", "run", str(folder), *(["--json"] if as_json else [])]
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, *arguments])
    execute(folder, as_json)
