"""What a machine offers, and what a job on it gets: with a made-up NVIDIA library, and with processes that are real."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pynvml
import pytest
from waiting import wait_for

from dnalm.errors import RunError
from dnalm.lab import processes
from dnalm.lab.backends import StartError
from dnalm.lab.backends.local import Handle, LocalBackend
from dnalm.lab.slots import Slot, slots, threads_for
from dnalm.settings import settings

GIB = 2**30
SLEEP = "import time; time.sleep(600)"
# Its child leaves the session, as torchrun's do, and outlives it.
ESCAPE = f"""
import subprocess, sys
subprocess.Popen([sys.executable, "-S", "-c", {SLEEP!r}], start_new_session=True)
"""
# Its main thread ends while another waits until the file "go" is there: it is told as ended, yet cannot be waited for.
HEADLESS = """
import ctypes, pathlib, threading, time
def wait():
    while not pathlib.Path({go!r}).exists():
        time.sleep(0.01)
threading.Thread(target=wait).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def card(number: int, total: int = 80 * GIB, used: int = GIB) -> SimpleNamespace:
    return SimpleNamespace(number=number, total=total, used=used)


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> list[SimpleNamespace]:
    """Two whole GPUs; a test may change them."""
    found = [card(0), card(1, used=3 * GIB)]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    answers = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: len(found),
        "nvmlDeviceGetHandleByIndex": lambda number: found[number],
        "nvmlDeviceGetMigMode": lambda one: [getattr(one, "mig", 0), 0],
        "nvmlDeviceGetMaxMigDeviceCount": lambda one: 7,
        "nvmlDeviceGetMemoryInfo": lambda one: one,
        "nvmlDeviceGetName": lambda one: "NVIDIA H100",
        "nvmlDeviceGetUUID": lambda one: f"GPU-{one.number}aaa",
    }
    for name, answer in answers.items():
        monkeypatch.setattr(pynvml, name, answer)
    return found


def no_driver(number: int):
    def answer():
        raise pynvml.NVMLError(number)

    return answer


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynvml, "nvmlInit", no_driver(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND))


class TestSlots:
    def test_gpus_with_their_memory(self, cards):
        assert slots() == (
            Slot("gpu0", "gpu", "NVIDIA H100", "GPU-0aaa", 80 * GIB, GIB),
            Slot("gpu1", "gpu", "NVIDIA H100", "GPU-1aaa", 80 * GIB, 3 * GIB),
        )

    @pytest.mark.parametrize(
        ("visible", "wanted"),
        [("1", ["gpu1"]), ("1,0", ["gpu1", "gpu0"]), ("GPU-0", ["gpu0"]), ("0,7,1", ["gpu0"]), ("", ["cpu0"])],
    )
    def test_only_those_that_are_visible(self, cards, monkeypatch, visible, wanted):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert [slot.id for slot in slots()] == wanted

    def test_a_divided_gpu_gives_a_slot_for_each_part(self, cards, monkeypatch):
        def part(one, place):
            if place > 1:
                raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
            return card(10 * one.number + place, 10 * GIB)

        cards[1].mig = pynvml.NVML_DEVICE_MIG_ENABLE
        monkeypatch.setattr(pynvml, "nvmlDeviceGetMigDeviceHandleByIndex", part)
        assert [(slot.id, slot.device) for slot in slots()] == [
            ("gpu0", "GPU-0aaa"), ("gpu1.0", "GPU-10aaa"), ("gpu1.1", "GPU-11aaa"),
        ]  # fmt: skip

    def test_without_gpus_as_many_as_were_said(self, home, no_gpu, monkeypatch):
        assert [slot.id for slot in slots()] == ["cpu0"]
        monkeypatch.setenv("DNALM_SLOTS", "3")
        settings.cache_clear()
        assert [slot.id for slot in slots()] == ["cpu0", "cpu1", "cpu2"]

    def test_a_broken_driver_is_one_sentence_and_no_silent_processor(self, monkeypatch):
        monkeypatch.setattr(pynvml, "nvmlInit", no_driver(pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH))
        with pytest.raises(RunError, match="the NVIDIA driver does not answer"):
            slots()

    def test_threads_are_shared_out(self, monkeypatch):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)))
        assert [threads_for([Slot("cpu0", "cpu", "")] * count) for count in (1, 3, 16, 40)] == [16, 5, 1, 1]


def job(folder: Path, name: str) -> SimpleNamespace:
    return SimpleNamespace(id=f"{name}-{os.getpid()}", run=folder, phase="pretrain")


def python(code: str):
    return lambda job: [sys.executable, "-S", "-c", code]


class TestLocalBackend:
    def test_a_job_sees_its_own_gpus_and_nothing_of_another_launcher(self, home, cards, tmp_path, monkeypatch):
        monkeypatch.setenv("LOCAL_RANK", "1")
        monkeypatch.setenv("SLURM_NTASKS", "4")
        backend = LocalBackend(python("import os; print(sorted(os.environ.items()))"))
        backend.slots()
        handle = backend.start(job(tmp_path, "env"), ["gpu1"])
        wait_for(lambda: not backend.alive(handle), "it ends")
        said = (tmp_path / "process.txt").read_text()
        assert "('CUDA_VISIBLE_DEVICES', 'GPU-1aaa')" in said
        assert f"('DNALM_HOME', '{home.resolve()}')" in said
        assert "LOCAL_RANK" not in said
        assert "('SLURM" not in said

    def test_it_lives_is_found_ages_and_is_killed(self, home, no_gpu, tmp_path):
        backend = LocalBackend(python(SLEEP))
        backend.slots()
        one = job(tmp_path, "life")
        handle = backend.start(one, ["cpu0"])
        try:
            assert backend.alive(handle)
            assert LocalBackend().alive(handle), "another worker sees it, too"
            wait_for(lambda: LocalBackend().find(one) == handle, "it is found")
            assert 0 <= backend.age(handle) < 60
            again = Handle.parse(handle)
            recycled = Handle(again.host, again.pid, again.born.replace(".", ".1"), again.job)
            assert not backend.alive(str(recycled)), "another process with that number"
            elsewhere = str(Handle("elsewhere", again.pid, again.born, again.job))
            assert not backend.alive(elsewhere)
            backend.kill(elsewhere)
            assert backend.alive(handle)
        finally:
            backend.kill(handle)
        assert not backend.alive(handle)
        assert backend.find(one) is None
        backend.kill(handle)  # nothing to do
        backend.terminate(handle)

    def test_a_process_that_left_the_session_is_ended_too(self, home, no_gpu, tmp_path):
        backend = LocalBackend(python(ESCAPE))
        backend.slots()
        one = job(tmp_path, "escape")
        handle = backend.start(one, ["cpu0"])
        wait_for(lambda: not backend.alive(handle), "the first process ends")
        assert len(processes.marked(one.id)) == 1
        backend.kill(handle)
        assert processes.marked(one.id) == []

    def test_sigterm_reaches_it(self, home, no_gpu, tmp_path):
        backend = LocalBackend(python(SLEEP))
        backend.slots()
        handle = backend.start(job(tmp_path, "term"), ["cpu0"])
        backend.terminate(handle)
        wait_for(lambda: not backend.alive(handle), "it ends")

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells of a process's main thread")
    @pytest.mark.parametrize("asked", ["alive", "start"])
    def test_one_whose_main_thread_ends_first_leaves_no_zombie(self, home, no_gpu, tmp_path, asked):
        go = tmp_path / "go"
        backend = LocalBackend(python(HEADLESS.format(go=str(go))))
        backend.slots()
        handle = backend.start(job(tmp_path, "headless"), ["cpu0"])
        process = psutil.Process(Handle.parse(handle).pid)
        try:
            wait_for(lambda: not backend.alive(handle), "its main thread ends")
            assert process.is_running(), "its other thread runs on"
        finally:
            go.touch()
        backend.command = python("")
        other_job = job(tmp_path, "other")
        other = backend.start(other_job, ["cpu0"])
        if asked == "alive":
            wait_for(lambda: not (backend.alive(other) or process.is_running()), "both are waited for")
        else:
            wait_for(lambda: backend.start(other_job, ["cpu0"]) and not process.is_running(), "it is waited for")
            wait_for(lambda: not backend.alive(other), "the other is waited for, too")

    def test_what_cannot_be_started_is_one_sentence(self, home, no_gpu, tmp_path):
        with pytest.raises(StartError, match=r"could not be started \(no such file or directory"):
            LocalBackend(lambda job: ["/no/such/program"]).start(job(tmp_path, "none"), [])
        with pytest.raises(StartError):
            LocalBackend().start(job(tmp_path / "gone", "gone"), [])


def test_a_zombie_has_ended():
    child = subprocess.Popen([sys.executable, "-S", "-c", SLEEP])
    born = processes.birth(child.pid)
    os.kill(child.pid, signal.SIGKILL)
    wait_for(lambda: processes.birth(child.pid) is None, "it is a zombie")
    child.wait()
    assert born is not None
