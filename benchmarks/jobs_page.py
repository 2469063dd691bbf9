"""`python -m benchmarks.jobs_page`: what open Jobs pages cost the server: processor, memory, time to load.

The dashboard runs in a process of its own over a home of its own. Its jobs run as far as it can see: rows and run
folders are written as a worker and its trainings write them, a row of metrics each 0.2 s and the progress each second,
so that no training takes the processor from what is measured. The clients speak Streamlit's own protocol over
websockets: each opens a page, reads it to its end, and asks for its live part as often as the page tells it to.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from benchmarks.machine import describe
from dnalm.evaluation.results.services import write_service
from dnalm.settings import PACKAGE_ROOT, settings

DATA = PACKAGE_ROOT / "data" / "results"
STEPS = 100_000
WARM_ROWS = 2000
START_LIMIT = 180.0
GENOME = ">toy\n" + "ACGGTCATTGCA" * 500 + "\n"


class Trainings:
    """Running jobs, written by a thread as their processes would.

    Args:
        home: DNALM_HOME.
        count: how many run; as many wait.
    """

    def __init__(self, home: Path, count: int) -> None:
        from dnalm.lab import jobs, queue
        from dnalm.lab.neighbours import worker_id
        from dnalm.lab.people import local_user
        from dnalm.lab.queue import WorkerInfo
        from dnalm.training.config import PretrainConfig
        from dnalm.training.run import RunFolder

        home.mkdir(parents=True, exist_ok=True)
        (home / "toy.fna").write_text(GENOME)
        user, host = local_user(), socket.gethostname()
        worker = worker_id(host, os.getpid())
        slots = tuple(f"cpu{number}" for number in range(count))
        queue.register(WorkerInfo(worker, host, os.getpid(), time.time(), "local", slots))
        for number in range(2 * count):
            config = PretrainConfig(genomes=[str(home / "toy.fna")], name=f"run-{number}", steps=STEPS)
            jobs.submit(user, config)
        claimed = [queue.claim(worker) for _ in range(count)]
        self.ids = [job.id for job in claimed if job is not None]
        self.runs = [RunFolder(job.run) for job in claimed if job is not None]
        self.step = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        for _ in range(WARM_ROWS):
            self._rows()
        self._progress()

    def _rows(self) -> None:
        self.step += 10
        bits = 1.9 + 0.1 * math.exp(-self.step / 5000)
        row = {"train_loss": bits * 1.386, "learning_rate": 0.004, "train_bits_per_base": bits}
        if self.step % 500 == 0:
            row["bits_per_base"] = bits
        for run in self.runs:
            run.metric(phase="pretrain", step=self.step, **row)

    def _progress(self) -> None:
        left = {"rate": 51_000.0, "unit": "bases/s", "eta_s": (STEPS - self.step) / 50}
        for run in self.runs:
            run.progress(state="running", phase="pretrain", step=self.step, total=STEPS, **left)

    def _write(self) -> None:
        ticks = 0
        while not self._stop.wait(0.2):
            self._rows()
            ticks += 1
            if ticks % 5 == 0:
                self._progress()

    def __enter__(self) -> Trainings:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@dataclass
class Tab:
    """One open page.

    Attributes:
        address: of the server, `127.0.0.1:8501`.
        query: what follows the page's name.
        loads: seconds of each load, from connecting to the last message of the page.
        ticks: how often the live part was renewed.
        lags: seconds that each renewal took.
    """

    address: str
    query: str
    loads: list[float] = field(default_factory=list)
    ticks: int = 0
    lags: list[float] = field(default_factory=list)

    async def stay(self, until: asyncio.Event, reload: asyncio.Event) -> None:
        """Keep the page open, renewed as it asks, loaded again whenever `reload` is set."""
        while not until.is_set():
            begun = time.monotonic()
            # A busy server answers late, which is to be measured, not an error.
            patient = {"open_timeout": 120, "close_timeout": 0.1, "ping_interval": None, "max_size": None}
            connect = websockets.connect(f"ws://{self.address}/_stcore/stream", subprotocols=["streamlit"], **patient)
            async with connect as connection:
                clock = await self._ask(connection)
                self.loads.append(time.monotonic() - begun)
                reload.clear()
                while not until.is_set() and not reload.is_set():
                    woken = await _first(reload, until, seconds=clock[1] if clock else None)
                    if not woken and clock:
                        begun = time.monotonic()
                        await self._ask(connection, clock[0])
                        self.lags.append(time.monotonic() - begun)
                        self.ticks += 1

    async def _ask(self, connection: Any, fragment: str = "") -> tuple[str, float] | None:
        """Run the page, or one part of it; gives the part's clock: its id and seconds."""
        message = BackMsg()
        message.rerun_script.query_string = self.query
        message.rerun_script.page_name = "jobs"
        if fragment:
            message.rerun_script.fragment_id = fragment
            message.rerun_script.is_auto_rerun = True
        await connection.send(message.SerializeToString())
        clock = None
        while True:
            answer = ForwardMsg.FromString(await connection.recv())
            kind = answer.WhichOneof("type")
            if kind == "auto_rerun":
                clock = answer.auto_rerun.fragment_id, answer.auto_rerun.interval
            elif kind == "delta" and answer.delta.new_element.WhichOneof("type") == "exception":
                raise RuntimeError(answer.delta.new_element.exception.message)
            elif kind == "script_finished":
                return clock


async def _first(*events: asyncio.Event, seconds: float | None) -> bool:
    """Wait until one of the events is set, or so long; whether one was."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    done, pending = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    return bool(done)


@contextmanager
def dashboard(home: Path) -> Iterator[tuple[str, psutil.Process]]:
    """The dashboard's process over `home`, and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(PACKAGE_ROOT / "dashboard" / "app.py")]
    command += ["--server.address", "127.0.0.1", "--server.port", str(port), "--server.headless", "true"]
    command += ["--browser.gatherUsageStats", "false", "--server.fileWatcherType", "none"]
    environment = {**os.environ, "DNALM_HOME": str(home), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PACKAGE_ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(f"http://127.0.0.1:{port}/healthz")
            yield f"127.0.0.1:{port}", psutil.Process(process.pid)
        finally:
            process.terminate()


def _wait(url: str) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + START_LIMIT
    while time.monotonic() < end:
        with suppress(urllib.error.URLError, OSError), opener.open(url, timeout=10):
            return
        time.sleep(0.2)
    raise TimeoutError(f"the dashboard did not answer on {url}")


def wait_until_idle(server: psutil.Process) -> None:
    """Until the dashboard has loaded what it loads beforehand, models and PyTorch."""
    end = time.monotonic() + START_LIMIT
    while server.cpu_percent(interval=2) > 5 and time.monotonic() < end:
        continue


async def measure(address: str, server: psutil.Process, ids: list[str], told: argparse.Namespace) -> dict[str, Any]:
    """Open the pages, half on the list and half on a job each; watch them; load them again and again."""
    queries = ["" if number % 2 else f"job={ids[number // 2 % len(ids)]}" for number in range(told.tabs)]
    tabs = [Tab(address, query) for query in queries]
    until, reloads = asyncio.Event(), [asyncio.Event() for _ in tabs]
    open_pages = [asyncio.create_task(tab.stay(until, one)) for tab, one in zip(tabs, reloads, strict=True)]

    async def loaded(times: int) -> None:
        while sum(len(tab.loads) for tab in tabs) < times:
            for page in open_pages:
                if page.done():
                    page.result()
            await asyncio.sleep(0.05)

    await loaded(told.tabs)
    await asyncio.sleep(5)  # the first pages' caches
    before, began, ticks = sum(server.cpu_times()[:2]), time.monotonic(), sum(tab.ticks for tab in tabs)
    await asyncio.sleep(told.seconds)
    passed = time.monotonic() - began
    used = sum(server.cpu_times()[:2]) - before
    renewed = sum(tab.ticks for tab in tabs) - ticks
    memory, done = [(0, server.memory_info().rss)], told.tabs
    first = [len(tab.loads) for tab in tabs]
    # One page at a time from here, as a person meets it.
    for number in range(told.reloads):
        reloads[number % len(tabs)].set()
        done += 1
        await loaded(done)
        if (number + 1) % 100 == 0:
            memory.append((number + 1, server.memory_info().rss))
            print(f"{number + 1} loads, {memory[-1][1] / 1e6:.0f} MB", file=sys.stderr, flush=True)
    loads = sorted(second for tab, skip in zip(tabs, first, strict=True) for second in tab.loads[skip:])
    lags = sorted(lag for tab in tabs for lag in tab.lags)
    until.set()
    await asyncio.gather(*open_pages)
    return {"cpu": used / passed, "renewed_s": renewed / passed, "memory": memory, "loads": loads, "lags": lags}


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.jobs_page", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tabs", type=int, default=20, help="pages open at once")
    parser.add_argument("--running", type=int, default=4, help="jobs that run; as many wait")
    parser.add_argument("--seconds", type=float, default=60, help="for which the processor is watched")
    parser.add_argument("--reloads", type=int, default=500)
    parser.add_argument("--data", type=Path, default=DATA, help="where the figures are kept")
    return parser


def main() -> int:
    told, machine = arguments().parse_args(), describe()
    with tempfile.TemporaryDirectory(prefix="dnalm-pages-") as folder:
        home = Path(folder) / "home"
        os.environ["DNALM_HOME"] = str(home)
        settings.cache_clear()
        with Trainings(home, told.running) as trainings, dashboard(home) as (address, server):
            wait_until_idle(server)
            found = asyncio.run(measure(address, server, trainings.ids, told))
    memory = found["memory"]
    half = len(memory) // 2
    growth = (memory[-1][1] - memory[half][1]) / 1e6
    last, middle = memory[-1][0], memory[half][0]
    tail = found["loads"][int(0.95 * (len(found["loads"]) - 1))]
    rows = [
        (f"processor for {told.tabs} open pages", f"{found['cpu']:.0%} of one core"),
        ("renewals of a live part", f"{found['renewed_s']:.1f} a second"),
        ("processor for one renewal", f"{1000 * found['cpu'] / max(found['renewed_s'], 1e-9):.0f} ms"),
        ("memory with the pages open", f"{memory[0][1] / 1e6:.0f} MB"),
        *((f"memory after {number} loads", f"{size / 1e6:.0f} MB") for number, size in memory[1:]),
        (f"growth from load {middle} to load {last}", f"{growth:+.1f} MB"),
        ("median time to load a page, the others open", f"{statistics.median(found['loads']):.2f} s"),
        ("95 % of loads took at most", f"{tail:.2f} s"),
    ]
    for what, value in rows:
        print(f"{what}: {value}")
    note = (
        f"{told.tabs} open pages, half the list of jobs, half one running job each with its curves, while "
        f"{told.running} jobs run and {told.running} wait; the live parts are renewed every two seconds, and in the "
        f"second half pages are loaded anew {told.reloads} times, one after another. Clients speak Streamlit's "
        "protocol on loopback: the time to load is the server's, without a browser's drawing. Jobs are written as "
        "trainings write them, and nothing trains. "
        f"`python -m benchmarks.jobs_page` does it again. {machine}."
    )
    write_service(
        told.data,
        "jobs-page",
        title="Twenty open Jobs pages" if told.tabs == 20 else f"{told.tabs} open Jobs pages",
        note=note,
        columns=("what", "found"),
        rows=rows,
        memory=memory,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
