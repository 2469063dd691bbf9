"""Processes side by side: numbered, ended with their block or with the one that started them, missed when they die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from waiting import PATIENCE_S, wait_for

from dnalm.errors import RunError
from dnalm.side_by_side import side_by_side

pytestmark = pytest.mark.slow
TOLD = """
import sys
from pathlib import Path
from test_side_by_side import begin, linger
from dnalm.side_by_side import side_by_side

if __name__ == "__main__":
    with side_by_side(2, begin, "told") as pool:
        list(pool.map(linger, [sys.argv[1]] * 2))
"""


def begin(number: int, told: str) -> None:
    os.environ["TOLD"] = f"{told} {number}"


def who(folder: str) -> tuple[str, int]:
    """As each is waited for, no process takes two."""
    (Path(folder) / str(os.getpid())).touch()
    begun(Path(folder))
    return os.environ["TOLD"], os.getpid()


def linger(folder: str) -> None:
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(10 * PATIENCE_S)


def begun(folder: Path) -> list[int]:
    wait_for(lambda: len(list(folder.iterdir())) == 2, "two processes")
    return [int(path.name) for path in folder.iterdir()]


def gone(pids: list[int]) -> bool:
    return not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids)


def test_each_has_a_number_and_what_all_were_told(tmp_path: Path) -> None:
    with side_by_side(2, begin, "told") as pool:
        found = set(pool.map(who, [str(tmp_path)] * 2))
    assert {told for told, _ in found} == {"told 0", "told 1"}
    assert len({pid for _, pid in found}) == 2


def test_a_block_that_ends_early_ends_them_in_the_middle_of_their_work(tmp_path: Path) -> None:
    with pytest.raises(KeyError), side_by_side(2, begin, "told") as pool:
        for _ in range(2):
            pool.submit(linger, str(tmp_path))
        pids = begun(tmp_path)
        raise KeyError
    wait_for(lambda: gone(pids), "their end")


def test_one_that_is_killed_is_missed(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="ended from outside"), side_by_side(2, begin, "told") as pool:
        waiting = [pool.submit(linger, str(tmp_path)) for _ in range(2)]
        pids = begun(tmp_path)
        os.kill(pids[0], signal.SIGKILL)
        waiting[1].result()
    wait_for(lambda: gone(pids), "their end")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_they_end_with_the_one_that_started_them(tmp_path: Path, number: signal.Signals) -> None:
    script, folder = tmp_path / "starts.py", tmp_path / "begun"
    script.write_text(TOLD)
    folder.mkdir()
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), str(here.parent), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen([sys.executable, str(script), str(folder)], env=os.environ | {"PYTHONPATH": path})
    try:
        pids = begun(folder)
        process.send_signal(number)
        process.wait(PATIENCE_S)
        wait_for(lambda: gone(pids), "their end")
    finally:
        process.kill()
