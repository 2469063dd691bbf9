"""Runs from the shell: configuration, the run folder, interruption and going on, the list of runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner
from waiting import PATIENCE_S, wait_for

from dnalm.alphabet import decode
from dnalm.cli import app
from dnalm.cli.fields import build
from dnalm.errors import InputError
from dnalm.locks import RUN_LOCK, held
from dnalm.settings import settings
from dnalm.training.config import PretrainConfig, TrainConfig
from dnalm.training.listing import find_run, list_runs, summarise
from dnalm.training.run import RunFolder

runner = CliRunner()
SMALL = ["--set", "encoder.hidden=8", "--set", "encoder.embedding=4", "--set", "lanes=4", "--threads", "1"]


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    codes = np.random.default_rng(5).integers(0, 4, 40_000).astype(np.uint8)
    path = tmp_path / "genome.fa"
    path.write_text(f">chr\n{decode(codes)}\n")
    return path


def run(*arguments: object):
    return runner.invoke(app, [str(argument) for argument in arguments])


def test_options_win_over_the_file_and_set_wins_over_both(tmp_path: Path):
    file = tmp_path / "c.yaml"
    file.write_text("genomes: [a.fa]\nseed: 1\nlanes: 8\noptimizer: {clip: 2.0, warmup: 0.2}\n")
    sets = ["optimizer.clip=0.5", "optimizer.learning_rate=1e-3"]
    config = build(PretrainConfig, {"seed": 2, "lanes": None}, file, sets)
    assert (config.seed, config.lanes) == (2, 8)
    assert (config.optimizer.clip, config.optimizer.warmup, config.optimizer.learning_rate) == (0.5, 0.2, 0.001)


def test_a_runs_own_file_makes_the_same_run(home: Path):
    config = PretrainConfig(genomes=["a.fa"], seed=3)
    folder = RunFolder.create(home / "runs" / "one", config.model_dump(mode="json"))
    assert build(PretrainConfig, {}, folder.path / "config.yaml") == config


@pytest.mark.parametrize(
    ("options", "sets", "sentence"),
    [
        ({"genomes": ["a"], "minutes": 1, "steps": 5}, [], "budget is given twice"),
        ({"genomes": ["a"], "seed": -1}, [], "field seed"),
        ({"genomes": ["a"]}, ["lane=3"], "field lane"),
        ({"genomes": ["a"]}, ["lanes"], "wanted FIELD=VALUE"),
        ({"genomes": ["a"]}, ["lanes=[1"], "not valid YAML"),
        ({}, [], "field genomes"),
    ],
)
def test_a_wrong_field_is_named(options, sets, sentence):
    with pytest.raises(InputError, match=sentence):
        build(PretrainConfig, options, None, sets)


@pytest.mark.parametrize("text", ["- a\n", "a: [1\n", "seed: 1\x00\n"])
def test_a_file_that_is_no_configuration_is_named(tmp_path: Path, text: str):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(InputError, match=r"c\.yaml"):
        build(TrainConfig, {}, tmp_path / "c.yaml")


def test_pretrain_prints_its_run_folder(home: Path, genome: Path):
    result = run("pretrain", genome, "--steps", 6, "--name", "tiny", *SMALL)
    assert result.exit_code == 0, (result.stderr, result.exception)
    folder = Path(result.stdout.strip())
    assert folder.parent == home / "runs"
    assert folder.name.startswith("tiny-")
    assert (folder / "bundle" / "model.safetensors").is_file()
    assert "bits_per_base" in result.stderr

    # The model is known by its name at once, and by a free one where that is taken.
    assert "model tiny" in result.stderr
    assert json.loads(run("models", "show", "tiny", "--json").stdout)["folder"] == str(home / "models" / "tiny")

    listed = json.loads(run("runs", "list", "--json").stdout)["runs"]
    assert [(one["phase"], one["state"]) for one in listed] == [("pretrain", "succeeded")]
    shown = run("runs", "show", folder.name).stdout
    assert "bits_per_base" in shown
    assert "name: tiny" in shown

    again = run("runs", "resume", folder.name)
    assert again.exit_code == 0
    assert "done already" in again.stderr

    # The card's own command makes the same model again, to the last bit.
    card = (folder / "bundle" / "README.md").read_text()
    told = home / "pretrain.yaml"
    told.write_text(card.split("```yaml\n")[1].split("```")[0])
    result = run("pretrain", "--config", told)
    assert "model tiny-2" in result.stderr
    repeated = Path(result.stdout.strip())
    weights = "bundle/model.safetensors"
    assert repeated != folder
    assert (repeated / weights).read_bytes() == (folder / weights).read_bytes()

    measured = run("evaluate", folder, genome, "--json")
    assert json.loads(measured.stdout)["figures"]["bits_per_base"]["n"] > 39_000


def test_train_does_all_three_phases(home: Path, mirror: Path):
    tiny = ["--set", "pretrain.encoder.hidden=8", "--set", "pretrain.encoder.embedding=4", "--set", "pretrain.steps=4"]
    quick = ["--finetune-epochs", 1, "--head", "wide", "--threads", 1, "--name", "three"]
    result = run("train", "--dataset", "bsubtilis-promoters-81", "--preset", "small", *tiny, *quick)
    assert result.exit_code == 0, (result.stderr, result.exception)
    assert "mcc" in result.stderr
    folder = Path(result.stdout.strip())
    for phase in ("pretrain", "finetune", "."):
        assert (folder / phase / "bundle" / "model.safetensors").is_file()
        assert (folder / phase / "result.json").is_file()

    sequences = mirror / "promoters" / "Bacillus_prom.fa.gz"
    calls = run("predict", folder, sequences, "--allow-duplicates")
    assert calls.exit_code == 0, (calls.stderr, calls.exception)
    assert len(calls.stdout.splitlines()) == 1 + 373
    report = json.loads(run("evaluate", folder, "bsubtilis-promoters-81", "--json").stdout)
    stated = summarise(folder).figures
    assert report["figures"]["mcc"]["value"] == pytest.approx(stated["mcc"]["value"])


@pytest.mark.parametrize("start", [["--model", "x"], ["--from-scratch"]], ids=" ".join)
def test_options_of_pretraining_need_pretraining(home: Path, start: list[str]):
    result = run("train", "--dataset", "bsubtilis-promoters-81", "--minutes", 3, *start)
    assert result.exit_code == 2
    assert "of pre-training" in result.stderr


def test_home_moves_everything(home: Path, genome: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DNALM_HOME", str(home))  # so that what the command sets is put back
    result = run("pretrain", genome, "--steps", 2, "--home", tmp_path / "elsewhere", "--json", *SMALL)
    assert result.exit_code == 0, (result.stderr, result.exception)
    answer = json.loads(result.stdout)
    assert answer["state"] == "succeeded"
    assert Path(answer["run"]).parent == tmp_path / "elsewhere" / "runs"
    assert not home.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["pretrain", "no-such-genome"],
        ["pretrain", "{genome}", "--minutes", "1", "--steps", "3"],
        ["pretrain", "{genome}", "--preset", "huge"],
        ["train", "--dataset", "no-such-set"],
        ["train"],
        ["finetune", "--model", "no-such-model", "--dataset", "no-such-set"],
        ["run", "no-such-run"],
        ["runs", "show", "no-such-run"],
    ],
    ids=" ".join,
)
def test_wrong_input_is_one_sentence_and_exit_2(home: Path, genome: Path, arguments: list[str]):
    result = run(*(text.format(genome=genome) for text in arguments))
    assert result.exit_code == 2, (result.stderr, result.exception)
    assert result.stderr.splitlines()[-1].startswith("dnalm: ")
    assert result.stdout == ""
    assert not list((home / "runs").glob("*"))


def test_ctrl_c_leaves_a_run_that_goes_on(home: Path, genome: Path):
    environment = {**os.environ, "DNALM_HOME": str(home)}
    command = [sys.executable, "-m", "dnalm", "pretrain", str(genome), "--name", "stop", "--steps", "3000", *SMALL]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            wait_for(lambda: list((home / "runs").glob("*/progress.json")) or process.poll() is not None, "its steps")
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    assert process.returncode == 130, errors
    assert output == ""
    assert "go on with `dnalm run" in errors
    assert "Traceback" not in errors
    (folder,) = (home / "runs").iterdir()
    assert summarise(folder).state == "interrupted"
    step = summarise(folder).progress["step"]

    # Fewer steps than planned, so that the test is short: the plan is in the folder.
    document = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(document.replace("steps: 3000", f"steps: {step + 20}"))
    result = run("run", folder)
    assert result.exit_code == 0, (result.stderr, result.exception)
    assert summarise(folder).state == "succeeded"


def test_a_running_run_is_left_alone(home: Path):
    folder = RunFolder.create(home / "runs" / "busy", PretrainConfig(genomes=["a"]).model_dump(mode="json"))
    assert summarise(folder.path).state == "waiting"
    with held(folder.path / RUN_LOCK):
        folder.progress(state="running", phase="pretrain", step=1, total=9)
        assert summarise(folder.path).state == "running"
        result = run("run", "busy")
    assert result.exit_code == 2
    assert "another process trains this run already" in result.stderr
    assert summarise(folder.path).state == "stopped"


def test_a_killed_run_says_stopped(home: Path):
    folder = RunFolder.create(home / "runs" / "dead", PretrainConfig(genomes=["a"]).model_dump(mode="json"))
    folder.progress(state="running", phase="pretrain", step=1, total=9)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    progress = json.loads((folder.path / "progress.json").read_text())
    (folder.path / "progress.json").write_text(json.dumps({**progress, "pid": ended.pid}))
    assert summarise(folder.path).state == "stopped"


def test_runs_are_found_by_name_and_folder_and_nowhere_else(home: Path):
    folder = RunFolder.create(home / "runs" / "one", PretrainConfig(genomes=["a"]).model_dump(mode="json")).path
    (home / "runs" / "broken").mkdir()
    (home / "runs" / "broken" / "config.yaml").write_text("[")
    assert find_run("one") == folder == find_run(folder)
    assert [one.id for one in list_runs()] == ["one"]
    for name in ("..", "../runs/one", "two"):
        with pytest.raises(InputError):
            find_run(name)
    assert settings().runs == home / "runs"
