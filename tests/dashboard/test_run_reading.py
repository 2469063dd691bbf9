"""Following a run's metrics as they grow: what is read, what is read again, and what it costs."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest

from dashboard import run_reading
from dashboard.run_reading import MetricsFile, RunReader, tail
from dnalm.training.run import RunFolder


@pytest.fixture
def run(tmp_path):
    return RunFolder.create(tmp_path / "run", {"phase": "pretrain"})


def rows(run, phase, steps, **figures):
    for step in steps:
        run.metric(phase=phase, step=step, train_loss=float(step), **figures)


def places(curves, name="train_loss"):
    return curves.series[name].places.tolist()


def test_a_run_without_metrics_has_no_curves(run):
    curves = RunReader().curves(run.path)
    assert (dict(curves.series), curves.stages, curves.last) == ({}, (), 0)


def test_stages_are_laid_end_to_end_and_figures_kept_apart(run):
    rows(run, "head", [5, 10], mcc=0.5)
    rows(run, "all", [5])
    curves = RunReader().curves(run.path)
    assert places(curves) == [5, 10, 15]
    assert places(curves, "mcc") == [5, 10]
    assert curves.stages == (("head", 0), ("all", 10))
    assert curves.last == 15


def test_earlier_phases_in_folders_of_their_own_come_first(run):
    for phase, last in (("finetune", 20), ("pretrain", 100)):
        (run.path / phase).mkdir()
        rows(RunFolder(run.path / phase), phase, [last])
    reader = RunReader()
    assert places(reader.curves(run.path)) == [100, 120]
    rows(run, "head", [7])
    curves = reader.curves(run.path)
    assert places(curves) == [100, 120, 127]
    assert curves.stages == (("pretrain", 0), ("finetune", 100), ("head", 120))


def test_each_look_reads_what_was_appended_and_nothing_else(run, monkeypatch):
    read = []
    loads = json.loads
    monkeypatch.setattr(run_reading.json, "loads", lambda line: read.append(line) or loads(line))
    reader = RunReader()
    rows(run, "one", [1, 2, 3])
    first = reader.curves(run.path)
    assert len(read) == 3
    assert reader.curves(run.path) is first
    rows(run, "one", [4])
    assert places(reader.curves(run.path)) == [1, 2, 3, 4]
    assert len(read) == 4


def test_a_half_written_line_waits_for_its_other_half(run):
    reader, path = RunReader(), run.path / "metrics.jsonl"
    rows(run, "one", [1])
    with path.open("a") as file:
        file.write('{"phase": "one", "step": 2, "tr')
        file.flush()
        assert places(reader.curves(run.path)) == [1]
        file.write('ain_loss": 2.0}\n')
    assert places(reader.curves(run.path)) == [1, 2]


def test_a_resumed_run_s_trimmed_metrics_are_read_anew(run):
    reader = RunReader()
    rows(run, "one", [1, 2, 3, 4])
    before = reader.curves(run.path)
    run.trim_metrics(2)
    rows(run, "one", [30, 40, 50, 60])  # longer than before: the size alone would not tell
    after = reader.curves(run.path)
    assert places(after) == [1, 2, 30, 40, 50, 60]
    assert after.version != before.version


def test_another_file_with_the_number_of_one_that_has_gone_is_not_taken_for_it(tmp_path):
    path = tmp_path / "metrics.jsonl"
    file = MetricsFile(path)
    path.write_text('{"phase": "a", "step": 1, "x": 1}\n{"phase": "a", "step": 2, "x": 1}\n')
    file.look()
    path.write_text('{"phase": "b", "step": 7, "x": 1}\n{"phase": "b", "step": 8, "x": 1}\n{"phase": "b", "step": 9}\n')
    file.look()
    assert file.stages == [("b", 0)]
    assert list(file.points["x"].steps) == [7, 8]


def test_what_is_no_figure_is_left_out(run):
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('nonsense\n[1]\n{"step": 3}\n{"phase": "p", "step": "x"}\n')
        file.write('{"phase": "p", "step": 1, "a": NaN, "b": "text", "c": null, "d": 0.5}\n')
    curves = RunReader().curves(run.path)
    assert {name: series.values.tolist() for name, series in curves.series.items()} == {"d": [0.5]}


def test_a_long_run_is_thinned_and_keeps_its_newest_point(run, monkeypatch):
    monkeypatch.setattr(run_reading, "MOST_POINTS", 100)
    rows(run, "one", range(1, 1001))
    found = RunReader().curves(run.path).series["train_loss"]
    assert 50 <= len(found.places) <= 100
    assert found.places[-1] == 1000
    assert found.places[0] < 100
    np.testing.assert_array_equal(found.places, found.values)
    assert (np.diff(found.places) > 0).all()


def test_a_huge_file_is_read_in_several_looks(run, monkeypatch):
    rows(run, "one", range(1, 101))
    monkeypatch.setattr(run_reading, "LARGEST_LOOK", 1000)
    reader = RunReader()
    seen = [len(places(reader.curves(run.path))) for _ in range(10)]
    assert seen == sorted(seen)
    assert seen[0] < 30
    assert seen[-1] == 100


def test_only_so_many_runs_are_held_those_looked_at_last(tmp_path):
    reader = RunReader(most=3)
    folders = [RunFolder.create(tmp_path / str(number), {}).path for number in range(5)]
    for folder in folders:
        reader.curves(folder)
    assert len(reader) == 3
    reader.clear()
    assert len(reader) == 0


def test_many_sessions_reading_while_the_run_writes_see_whole_curves(run):
    reader, faults, done = RunReader(), [], threading.Event()

    def session():
        while not done.is_set():
            curves = reader.curves(run.path)
            if curves.series and places(curves) != list(range(1, curves.last + 1)):
                faults.append(places(curves))

    threads = [threading.Thread(target=session) for _ in range(4)]
    for thread in threads:
        thread.start()
    rows(run, "one", range(1, 301))
    done.set()
    for thread in threads:
        thread.join()
    assert not faults
    assert places(reader.curves(run.path)) == list(range(1, 301))


class TestTail:
    def test_the_last_lines(self, tmp_path):
        path = tmp_path / "log.txt"
        path.write_text("".join(f"line {number}\n" for number in range(10_000)))
        assert tail(path, lines=2) == ["line 9998", "line 9999"]
        # From the end of the file: what begins before the bytes read is left out, not shown in half.
        assert tail(path, most_bytes=25) == ["line 9998", "line 9999"]

    def test_no_file_and_an_empty_one(self, tmp_path):
        assert tail(tmp_path / "log.txt") == []
        (tmp_path / "log.txt").touch()
        assert tail(tmp_path / "log.txt") == []

    def test_progress_bars_show_their_last_state_and_codes_of_terminals_go(self, tmp_path):
        path = tmp_path / "process.txt"
        path.write_bytes(b"a 1 %\ra 50 %\ra 99 %\r\n\x1b[31mred\x07\n\xff broken\nunfinished")
        assert tail(path) == ["a 99 %", "[31mred", "\ufffd broken", "unfinished"]
