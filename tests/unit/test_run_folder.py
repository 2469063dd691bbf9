"""The run folder: whole at every instant, readable whatever happened."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
import torch

from dnalm.errors import InputError, RunError
from dnalm.files import write_whole
from dnalm.training.curve import draw_curve
from dnalm.training.run import RunFolder, explain


@pytest.fixture
def run(tmp_path):
    return RunFolder.create(tmp_path / "runs" / "one", {"phase": "pretrain", "seed": 3})


class TestConfiguration:
    def test_says_all_that_a_repetition_needs(self, run):
        document = run.document()
        assert document["config"] == {"phase": "pretrain", "seed": 3}
        assert {"python", "torch", "dnalm", "machine"} <= document["versions"].keys()
        assert document["created"].endswith("+00:00")

    def test_facts_are_added_and_replaced(self, run):
        run.record("plan", {"steps": 10})
        run.record("plan", {"steps": 20})
        run.record("data", {"ü": [1]})
        assert run.document()["plan"] == {"steps": 20}
        assert run.document()["data"] == {"ü": [1]}
        assert run.document()["config"]["seed"] == 3

    def test_a_folder_is_not_taken_twice(self, run):
        with pytest.raises(InputError, match="there is a run there already"):
            RunFolder.create(run.path, {})

    def test_opening_again_wants_the_same_configuration(self, run):
        assert RunFolder.open_or_create(run.path, {"phase": "pretrain", "seed": 3}).path == run.path
        with pytest.raises(InputError, match="the run there has another configuration"):
            RunFolder.open_or_create(run.path, {"phase": "pretrain", "seed": 4})

    @pytest.mark.parametrize(
        ("text", "words"),
        [("a: [", "not valid YAML"), ("", "the field `config` is missing"), ("config: 3", "the field `config`")],
    )
    def test_a_damaged_configuration_is_named(self, run, text, words):
        (run.path / "config.yaml").write_text(text)
        with pytest.raises(InputError, match=words):
            run.document()

    def test_no_run(self, tmp_path):
        with pytest.raises(InputError, match=r"no run here \(there is no config.yaml\)"):
            RunFolder(tmp_path).document()


class TestMetrics:
    def test_rows_in_order(self, run):
        run.metric(step=1, loss=0.5)
        run.metric(step=2, loss=float("nan"))
        assert [row["step"] for row in run.metrics()] == [1, 2]

    def test_a_line_cut_short_is_left_out_and_then_trimmed(self, run):
        run.metric(step=1)
        with (run.path / "metrics.jsonl").open("a") as file:
            file.write('{"step": 2, "lo')
        assert run.metrics() == [{"step": 1}]
        run.trim_metrics(1)
        run.metric(step=2)
        assert run.metrics() == [{"step": 1}, {"step": 2}]

    def test_no_rows(self, run):
        assert run.metrics() == []
        run.trim_metrics(0)
        assert run.metrics() == []


class TestCheckpoint:
    def test_there_and_back_and_the_old_one_goes(self, run):
        assert run.load_checkpoint() is None
        for step in (1, 2):
            run.save_checkpoint({"a": torch.full((2, 3), step).T}, {"phase": "p", "step": step})
        tensors, state = run.load_checkpoint()
        assert torch.equal(tensors["a"], torch.full((3, 2), 2))
        assert state["step"] == 2
        assert sorted(path.name for path in (run.path / "checkpoint").iterdir()) == ["p-2.safetensors", "state.json"]

    def test_killed_before_the_new_one_is_named_the_old_one_holds(self, run):
        run.save_checkpoint({"a": torch.zeros(1)}, {"phase": "p", "step": 1})
        (run.path / "checkpoint" / "p-2.safetensors").write_bytes(b"half")
        assert run.load_checkpoint()[1]["step"] == 1

    def test_a_damaged_one_is_refused(self, run):
        run.save_checkpoint({"a": torch.zeros(1)}, {"phase": "p", "step": 1})
        (run.path / "checkpoint" / "p-1.safetensors").write_bytes(b"half")
        with pytest.raises(RunError, match="the checkpoint cannot be read"):
            run.load_checkpoint()
        (run.path / "checkpoint" / "state.json").write_text("{")
        with pytest.raises(RunError, match=r"state.json: damaged"):
            run.load_checkpoint()

    def test_a_failed_write_leaves_the_last_one_and_no_litter(self, run):
        run.save_checkpoint({"a": torch.zeros(1)}, {"phase": "p", "step": 1})
        before = sorted((run.path / "checkpoint").iterdir())
        shared = torch.zeros(2)  # safetensors refuses two names for one memory
        with pytest.raises(RuntimeError, match="share memory"):
            run.save_checkpoint({"a": shared, "b": shared}, {"phase": "p", "step": 2})
        assert sorted((run.path / "checkpoint").iterdir()) == before


class TestFailing:
    def fail(self, run, error):
        kind = type(error) if isinstance(error, InputError | KeyboardInterrupt) else RunError
        with pytest.raises(kind) as caught, run.failing_plainly():
            raise error
        return str(caught.value)

    def test_a_sentence_reaches_the_person_the_progress_and_the_log(self, run):
        run.progress(state="running", phase="p", step=7)
        assert self.fail(run, RunError("take a smaller clip")) == "take a smaller clip"
        progress = run.read_progress()
        assert (progress["state"], progress["error"], progress["step"]) == ("failed", "take a smaller clip", 7)
        assert "take a smaller clip" in (run.path / "log.txt").read_text()

    @pytest.mark.parametrize(
        ("error", "words"),
        [
            (OSError(errno.ENOSPC, "No space left on device"), "the disk is full: free some space"),
            (OSError(errno.EDQUOT, "Disk quota exceeded"), "the disk is full"),
            (OSError(errno.EFBIG, "File too large"), "beyond what the system allows"),
            (RuntimeError("I/O error: No space left on device (os error 28)"), "the disk is full"),
            (MemoryError(), "out of memory: take fewer lanes or a smaller batch"),
            (torch.OutOfMemoryError("CUDA out of memory."), "out of memory"),
            (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "out of memory"),
        ],
    )
    def test_the_machine_s_limits_are_explained(self, run, error, words):
        assert words in self.fail(run, error)
        assert words in run.read_progress()["error"]

    def test_an_interruption_is_no_failure(self, run):
        self.fail(run, KeyboardInterrupt())
        assert run.read_progress()["state"] == "interrupted"

    def test_an_error_without_words_is_named(self):
        assert explain(ZeroDivisionError()) == "ZeroDivisionError"

    def test_a_full_disk_does_not_hide_the_sentence(self, run, monkeypatch):
        def full(self, *args, **kwargs):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Path, "write_text", full)
        monkeypatch.setattr(RunFolder, "log", full)
        assert "the disk is full" in self.fail(run, OSError(errno.ENOSPC, "No space left on device"))


def test_a_quiet_one_writes_nothing(run):
    before = sorted(run.path.rglob("*"))
    quiet = RunFolder(run.path, quiet=True)
    quiet.metric(step=1)
    quiet.log("hello")
    quiet.progress(state="running")
    quiet.record("plan", {})
    quiet.save_checkpoint({"a": torch.zeros(1)}, {"phase": "p", "step": 1})
    quiet.finish({})
    quiet.trim_metrics(0)
    assert sorted(run.path.rglob("*")) == before
    assert "plan" not in run.document()


def test_write_whole_replaces_or_leaves(tmp_path):
    path = tmp_path / "a.json"
    write_whole(path, "one")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "\ud800")
    assert path.read_text() == "one"
    assert list(tmp_path.iterdir()) == [path]


def test_the_curve_has_a_panel_for_each_figure(run):
    assert draw_curve(run) is None
    run.metric(phase="head", step=5, train_loss=1.0, loss=1.0, accuracy=0.5)
    run.metric(phase="all", step=5, train_loss=0.5, loss=0.7, accuracy=0.9)
    path = draw_curve(run)
    assert path.read_bytes()[:4] == b"\x89PNG"
    assert json.loads((run.path / "metrics.jsonl").read_text().splitlines()[1])["phase"] == "all"


def test_two_runs_of_one_name_get_folders_of_their_own(tmp_path):
    made = [RunFolder.create_among(tmp_path / "runs", "tiny", {"seed": seed}) for seed in range(3)]
    assert [run.path.name for run in made] == ["tiny", "tiny-2", "tiny-3"]
    assert [run.document()["config"]["seed"] for run in made] == [0, 1, 2]
