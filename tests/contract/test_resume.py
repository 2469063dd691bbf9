"""Real processes, killed with kill -9 at random moments: the run ends at the same bits as one that was left alone."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from toy_models import language_model_bundle, tiny_encoder, toy_dataset, write_genome
from waiting import wait_for

from dnalm.errors import DnalmError
from dnalm.settings import settings
from dnalm.training.config import ANY_CONFIG, FinetuneConfig, PretrainConfig, TrainConfig
from dnalm.training.listing import summarise
from dnalm.training.run import RunFolder

pytestmark = pytest.mark.slow

KILLS = 4
COMPUTE = {"accelerator": "cpu", "threads": 1}
PROCESSES = multiprocessing.get_context("forkserver")
# What takes seconds to import is imported once; each run is still a process of its own.
PROCESSES.set_forkserver_preload(["dnalm.training.classify", "toy_models"])


def work(fields: dict, folder: str, home: str, limits: dict[int, int]) -> None:
    """Run a phase: the whole life of one process. Exit code 3 means that it failed with a sentence."""
    from dnalm.training.classify import train
    from dnalm.training.finetune import finetune
    from dnalm.training.pretrain import pretrain

    os.environ["DNALM_HOME"] = home
    settings.cache_clear()
    for kind, most in limits.items():
        if kind == resource.RLIMIT_AS:  # beyond what the process has now
            most += int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(kind, (most, most))
    config = ANY_CONFIG.validate_python(fields)
    try:
        {"pretrain": pretrain, "finetune": finetune, "train": train}[config.phase](config, Path(folder))
    except DnalmError:
        os._exit(3)


class Bench:
    """Starts runs of one configuration."""

    def __init__(self, config, home: Path) -> None:
        self.fields, self.home = config.model_dump(mode="json"), home

    def start(self, folder: Path, limits: dict[int, int] | None = None):
        arguments = (self.fields, str(folder), str(self.home), limits or {})
        process = PROCESSES.Process(target=work, args=arguments, daemon=True)
        process.start()
        return process

    def whole(self, folder: Path, limits: dict[int, int] | None = None) -> int:
        process = self.start(folder, limits)
        process.join(120)
        assert process.exitcode is not None, "the run does not end"
        return process.exitcode


def outcome(folder: Path) -> tuple[bytes, list[dict], dict]:
    """Everything that has to be the same: weights, metrics, result."""
    result = json.loads((folder / "result.json").read_text())
    result.pop("seconds_since_start_or_resume", None)
    return (folder / "bundle" / "model.safetensors").read_bytes(), RunFolder(folder).metrics(), result


def pretraining(tmp_path: Path, **changes) -> PretrainConfig:
    genome = write_genome(tmp_path / "toy.fna", 6000)
    fields = {"steps": 400, "lanes": 4, "tokens": 16, "validate_every": 40, "dropout": 1.0, "checkpoint_seconds": 0.05}
    encoder = tiny_encoder(layers=2)
    return PretrainConfig(genomes=[str(genome)], encoder=encoder, compute=COMPUTE, **{**fields, **changes})


def finetuning(tmp_path: Path) -> FinetuneConfig:
    model = language_model_bundle(tmp_path / "lm").folder
    dataset = toy_dataset(tmp_path / "boxes").folder
    fields = {"epochs": 60, "batch_size": 16, "checkpoint_seconds": 0.02, "compute": COMPUTE}
    return FinetuneConfig(model=str(model), dataset=str(dataset), **fields)


def training(tmp_path: Path) -> TrainConfig:
    model = language_model_bundle(tmp_path / "lm").folder
    dataset = toy_dataset(tmp_path / "boxes").folder
    fields = {"epochs_frozen": 15, "epochs": 40, "patience": 40, "batch_size": 16, "checkpoint_seconds": 0.02}
    return TrainConfig(model=str(model), dataset=str(dataset), head="aligned", compute=COMPUTE, **fields)


@pytest.mark.parametrize("make", [pretraining, finetuning, training])
def test_killed_at_random_moments_it_ends_at_the_same_bits(tmp_path, make):
    bench = Bench(make(tmp_path), tmp_path / "home")
    bench.whole(tmp_path / "warm")  # so that the timing below is of the run alone
    began = time.monotonic()
    assert bench.whole(tmp_path / "whole") == 0
    duration = time.monotonic() - began
    chance, killed = random.Random(), 0
    for _ in range(KILLS):
        begun = time.monotonic()
        process = bench.start(tmp_path / "cut")
        delay = chance.uniform(0.2, 0.8) * duration
        process.join(delay)
        if process.exitcode is None:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            killed += 1
            print(f"killed after {delay:.2f} s of {duration:.2f}")
        elif not killed:  # the one that was timed had a slower moment: once more from the beginning
            duration = time.monotonic() - begun
            shutil.rmtree(tmp_path / "cut")
        if (tmp_path / "cut" / "config.yaml").exists():
            summarise(tmp_path / "cut")  # the folder can be read at every such moment
    assert killed > 0
    assert bench.whole(tmp_path / "cut") == 0
    whole, cut = outcome(tmp_path / "whole"), outcome(tmp_path / "cut")
    assert cut[1] == whole[1], "metrics"
    assert cut[0] == whole[0], "weights"
    assert cut[2] == whole[2], "figures"
    steps = [(row["phase"], row["step"]) for row in cut[1]]
    assert len(steps) == len(set(steps))


def test_sigterm_checkpoints_and_exits_and_the_command_goes_on(tmp_path):
    """Through the command line, as a supervisor would: `dnalm run`, SIGTERM, `dnalm run`."""
    config = pretraining(tmp_path, steps=3000, checkpoint_seconds=1000, validate_every=1000)
    bench = Bench(config, tmp_path / "home")
    folder = RunFolder.create(tmp_path / "cut", bench.fields).path
    environment = {**os.environ, "DNALM_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "dnalm", "run", str(folder)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: RunFolder(folder).read_progress().get("step", 0) > 0, "a step")
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert process.returncode not in (0, -signal.SIGTERM)
    assert "interrupted; go on with" in errors
    assert summarise(folder).state == "interrupted"
    step = json.loads((folder / "checkpoint" / "state.json").read_text())["step"]
    assert 0 < step < 3000
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(folder)
    assert bench.whole(tmp_path / "whole") == 0
    assert outcome(folder)[:2] == outcome(tmp_path / "whole")[:2]


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A file system of its own at `folder`."""
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_one_sentence_and_the_run_goes_on_when_there_is_space(tmp_path):
    bench = Bench(pretraining(tmp_path), tmp_path / "home")
    assert bench.whole(tmp_path / "whole") == 0
    with small_disk(tmp_path / "disk", "1m"):
        folder = tmp_path / "disk" / "run"
        process = bench.start(folder)
        wait_for(lambda: (folder / "checkpoint" / "state.json").exists(), "a checkpoint")
        filler = (tmp_path / "disk" / "filler").open("wb", buffering=0)
        with filler, pytest.raises(OSError, match="No space left"):
            while True:
                filler.write(bytes(4096))
        process.join(60)
        assert process.exitcode == 3
        summary = summarise(folder)
        assert summary.state in ("failed", "stopped")  # stopped: there was no room to say more
        if summary.state == "failed":
            assert "the disk is full" in summary.progress["error"]
        RunFolder(folder).load_checkpoint()
        (tmp_path / "disk" / "filler").unlink()
        assert bench.whole(folder) == 0
        assert outcome(folder)[:2] == outcome(tmp_path / "whole")[:2]


def test_a_limit_on_file_sizes_is_one_sentence(tmp_path):
    bench = Bench(pretraining(tmp_path), tmp_path / "home")
    assert bench.whole(tmp_path / "whole") == 0
    size = max(path.stat().st_size for path in (tmp_path / "whole" / "checkpoint").iterdir())
    assert bench.whole(tmp_path / "run", {resource.RLIMIT_FSIZE: size // 2}) == 3
    summary = summarise(tmp_path / "run")
    assert summary.state == "failed"
    assert "beyond what the system allows (ulimit -f)" in summary.progress["error"]
    assert bench.whole(tmp_path / "run") == 0
    assert outcome(tmp_path / "run")[:2] == outcome(tmp_path / "whole")[:2]


def test_too_little_memory_is_one_sentence(tmp_path):
    # 65,538 vectors of 1,024 numbers: 0.27 GB, and as much again for the gradient and twice for the optimizer.
    config = pretraining(tmp_path, steps=2).model_copy(update={"encoder": tiny_encoder(k=8, embedding=1024)})
    bench = Bench(config, tmp_path / "home")
    assert bench.whole(tmp_path / "run", {resource.RLIMIT_AS: 400 << 20}) == 3
    summary = summarise(tmp_path / "run")
    assert summary.state == "failed"
    assert summary.progress["error"].startswith("out of memory: take fewer lanes")
