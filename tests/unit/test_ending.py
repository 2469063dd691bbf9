"""One process a run, and what it says of its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dnalm.errors import InputError, RunError
from dnalm.locks import RUN_LOCK, HeldError, held, is_held
from dnalm.training.ending import EXIT, RESERVE, is_running, recorded

HOLD = """
import sys, time
from pathlib import Path
from dnalm.locks import RUN_LOCK, held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def record(folder: Path) -> dict:
    return json.loads((folder / EXIT).read_text())


class TestLocks:
    def test_one_holder_and_it_is_free_again_after(self, tmp_path):
        path = tmp_path / "lock"
        assert not is_held(path)
        with held(path):
            assert is_held(path)
            with pytest.raises(HeldError), held(path, patience=0):
                pass
        assert not is_held(path)

    def test_kill_9_lets_go(self, tmp_path):
        path = tmp_path / "lock"
        process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"held\n"
        assert is_held(path)
        process.kill()
        process.wait()
        process.stdout.close()
        assert not is_held(path)

    def test_a_program_that_is_started_does_not_inherit_it(self, tmp_path):
        with held(tmp_path / "lock"):
            child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        try:
            assert not is_held(tmp_path / "lock")
        finally:
            child.communicate(b"\n")


class TestRecord:
    def test_success(self, tmp_path):
        (tmp_path / EXIT).write_text("{}")
        with recorded(tmp_path):
            assert is_running(tmp_path)
            assert not (tmp_path / EXIT).exists()
        assert record(tmp_path) == {"code": 0, "state": "succeeded", "reason": ""}
        assert not is_running(tmp_path)
        assert not (tmp_path / RESERVE).exists()

    @pytest.mark.parametrize(
        ("error", "code", "reason"),
        [
            (InputError("no such genome"), 2, "no such genome"),
            (RunError("the loss became nan"), 1, "the loss became nan"),
            (KeyError("bits"), 1, "KeyError: 'bits'"),
            (OSError(28, "No space left on device"), 1, "the disk is full: free some space where the run folder is, "
             "then resume the run"),
        ],
    )  # fmt: skip
    def test_a_failure_keeps_its_sentence(self, tmp_path, error, code, reason):
        with pytest.raises(type(error)), recorded(tmp_path):
            raise error
        assert record(tmp_path) == {"code": code, "state": "failed", "reason": reason}

    def test_sigterm_is_an_interruption_and_the_handler_is_put_back(self, tmp_path):
        before = signal.getsignal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt), recorded(tmp_path):
            os.kill(os.getpid(), signal.SIGTERM)
        assert record(tmp_path)["code"] == 130
        assert record(tmp_path)["state"] == "interrupted"
        assert signal.getsignal(signal.SIGTERM) == before

    def test_a_second_process_is_one_sentence_and_leaves_the_record_of_the_first(self, tmp_path):
        (tmp_path / EXIT).write_text('{"code": 0}')
        process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / RUN_LOCK)], stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"held\n"
        try:
            with pytest.raises(InputError, match="another process trains this run already"), recorded(tmp_path):
                pytest.fail("two train it")
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        assert record(tmp_path) == {"code": 0}

    def test_a_helper_writes_nothing_and_needs_no_lock(self, tmp_path):
        code = f"""
import os
os.environ["LOCAL_RANK"] = "1"
from pathlib import Path
from dnalm.training.ending import recorded
with recorded(Path({str(tmp_path)!r})):
    pass
"""
        with held(tmp_path / RUN_LOCK):
            subprocess.run([sys.executable, "-c", code], check=True)
        assert [path.name for path in tmp_path.iterdir()] == [RUN_LOCK]
