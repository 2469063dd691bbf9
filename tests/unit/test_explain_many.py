"""Many sequences explained: the same whatever the number of processes, gone on with after a kill, never mixed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_models import classifier, classifier_bundle, random_codes
from typer.testing import CliRunner

import dnalm
from dnalm.alphabet import decode, encode, reverse_complement
from dnalm.cli import app
from dnalm.errors import InputError, RunError
from dnalm.interpret.edits import Edit, VcfEdit
from dnalm.interpret.kept import Answer, keeping
from dnalm.interpret.many import explain_many, generator_of, header_of
from dnalm.interpret.placed import Placed, bedgraph_text
from dnalm.interpret.task_saliency import SaliencyTask
from dnalm.interpret.task_scramble import ScrambleTask
from dnalm.locks import held
from dnalm.model.config import PoolHeadConfig
from dnalm.sequences import Region

TASK = ScrambleTask((2,), draws=3)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "toy"
    return dnalm.load(classifier_bundle(folder, classifier(PoolHeadConfig(width=7))).folder)


@pytest.fixture(scope="module")
def sequences():
    return [Placed(f"s{number}", random_codes(24 + number, number)) for number in range(6)]


def test_two_processes_answer_as_one_does_and_in_order(model, sequences):
    done = []
    one = list(explain_many(TASK, model, sequences, seed=5, progress=lambda *told: done.append(told)))
    assert done == [(number, 6) for number in range(7)]
    two = list(explain_many(TASK, model, sequences, seed=5, processes=2))
    assert [answer.to_bytes() for answer in one] == [answer.to_bytes() for answer in two]
    alone = TASK.explain(model, sequences[4], generator_of(5, 4))
    np.testing.assert_allclose(alone.arrays["curve_0"], one[4].arrays["curve_0"], atol=1e-6)
    other = next(explain_many(TASK, model, sequences, seed=6))
    assert not np.array_equal(other.arrays["curve_0"], one[0].arrays["curve_0"])


def test_what_goes_wrong_in_another_process_is_said_here(model, sequences):
    short = [*sequences[:2], Placed("short", encode("AC"))]
    with pytest.raises(InputError, match="2 bases"):
        list(explain_many(SaliencyTask(), model, short, processes=2))


def test_kept_answers_are_taken_and_what_a_kill_cut_short_is_made_again(model, sequences, tmp_path):
    whole = [answer.to_bytes() for answer in explain_many(TASK, model, sequences)]
    header, path = header_of(TASK, model, sequences, 0), tmp_path / "out.partial"
    with pytest.raises(KeyboardInterrupt), keeping(path, header) as kept:
        answers = explain_many(TASK, model, sequences, store=kept)
        next(answers), next(answers)
        raise KeyboardInterrupt
    path.write_bytes(path.read_bytes()[:-5])
    asked = []

    class Counting(ScrambleTask):
        def explain(self, classifier, one, *rest):
            asked.append(one.id)
            return super().explain(classifier, one, *rest)

    with keeping(path, header) as kept:
        assert (kept.found, kept.replaced) == (1, False)
        again = [answer.to_bytes() for answer in explain_many(Counting((2,), draws=3), model, sequences, store=kept)]
    assert again == whole
    assert asked == ["s1", "s2", "s3", "s4", "s5"]
    assert not path.exists()


def test_answers_of_another_run_are_not_taken(model, sequences, tmp_path):
    header, path = header_of(TASK, model, sequences, 0), tmp_path / "out.partial"
    with pytest.raises(RuntimeError), keeping(path, header) as kept:
        kept.put(0, b"an answer")
        raise RuntimeError
    for task, chosen, seed in (
        (replace(TASK, draws=4), sequences, 0),
        (SaliencyTask(), sequences, 0),
        (TASK, sequences[1:], 0),
        (TASK, [replace(sequences[0], site=3), *sequences[1:]], 0),
        (TASK, sequences, 1),
    ):
        assert header_of(task, model, chosen, seed) != header
    with pytest.raises(RuntimeError), keeping(path, header | {"weights": "others"}) as kept:
        assert (kept.found, kept.replaced) == (0, True)
        raise RuntimeError
    assert not path.exists()  # it held nothing


def test_only_one_process_writes_what_is_kept(tmp_path):
    path = tmp_path / "out.partial"
    with held(path), pytest.raises(RunError, match="another process"), keeping(path, {}):
        pass


@given(st.lists(st.binary(max_size=50), max_size=6), st.integers(0, 60))
def test_a_file_cut_anywhere_gives_back_a_beginning_of_what_was_put_in(tmp_path_factory, answers, cut):
    path = tmp_path_factory.mktemp("kept") / "file"
    with pytest.raises(RuntimeError), keeping(path, {"run": 1}) as kept:
        for number, answer in enumerate(answers):
            kept.put(number, answer)
        raise RuntimeError
    if not path.exists():
        assert not answers
        return
    path.write_bytes(path.read_bytes()[: path.stat().st_size - cut])
    with keeping(path, {"run": 1}) as kept:
        assert all(number in kept for number in range(kept.found))
        assert [kept.get(number) for number in range(kept.found)] == answers[: kept.found]
        assert cut or kept.found == len(answers)
        kept.put(99, b"more")
        assert kept.get(99) == b"more"


def test_an_answer_survives_its_file():
    answer = Answer({"scores": np.eye(3, dtype=np.float32), "ref": np.array(["A", "CG"])}, {"delta": 0.1, "none": None})
    back = Answer.from_bytes(answer.to_bytes())
    assert back.said == answer.said
    assert {name: array.tolist() for name, array in back.arrays.items()} == {
        "scores": np.eye(3).tolist(),
        "ref": ["A", "CG"],
    }


def test_a_killed_run_goes_on_to_the_same_file(tmp_path):
    bundle = classifier_bundle(tmp_path / "toy", classifier(PoolHeadConfig(width=7)))
    fasta, out = tmp_path / "many.fa", tmp_path / "out.tsv"
    fasta.write_text("".join(f">s{number}\n{decode(random_codes(60, number))}\n" for number in range(40)))
    words = ["explain", "saliency", str(bundle.folder), str(fasta), "--steps", "60", "--shuffles", "2"]
    partial = Path(f"{out}.partial")
    process = subprocess.Popen(
        [sys.executable, "-m", "dnalm", *words, "-o", str(out), "--processes", "2"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 120
        while process.poll() is None and (not partial.exists() or partial.stat().st_size < 5000):
            assert time.monotonic() < end
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert sorted(path.name for path in tmp_path.iterdir()) == ["many.fa", partial.name, "toy"]
        while True:  # the processes that it had started end too
            try:
                os.killpg(process.pid, 0)
            except ProcessLookupError:
                break
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    runner = CliRunner()
    again = runner.invoke(app, [*words, "-o", str(out)])
    assert again.exit_code == 0, again.output
    assert "are there from an earlier run; going on" in again.stderr
    assert not partial.exists()
    fresh = tmp_path / "fresh.tsv"
    assert runner.invoke(app, [*words, "-o", str(fresh)]).exit_code == 0
    assert out.read_bytes() == fresh.read_bytes()


REVERSED = Placed("r", reverse_complement(encode("ACGTTG")), None, Region("chr", 7, 13, "-"), 10)


def test_a_region_over_the_origin_knows_its_bases_places():
    # chr is 10 bases; the region is bases 8, 9, 10, 1, 2, 3, read backwards.
    assert [REVERSED.on_record(position) for position in range(6)] == [2, 1, 0, 9, 8, 7]
    assert REVERSED.on_record(0, 2) == 1
    assert REVERSED.text == "CAACGT"
    lines = bedgraph_text(REVERSED, {"score": np.arange(6.0)}).splitlines()
    assert lines[0].startswith('track type=bedGraph name="score (-)"')
    assert lines[1:] == [
        "chr\t0\t1\t2",
        "chr\t1\t2\t1",
        "chr\t2\t3\t0",
        "chr\t7\t8\t5",
        "chr\t8\t9\t4",
        "chr\t9\t10\t3",
    ]


def test_changes_of_a_genome_are_read_on_the_strand_of_the_region():
    assert REVERSED.read_change(VcfEdit("chr", ".", Edit(8, "CG", "T"))) == Edit(3, "CG", "A")
    assert REVERSED.read_change(VcfEdit("chr", ".", Edit(1, "T", "TCC"))) == Edit(1, "A", "GGA")
    assert REVERSED.read_change(VcfEdit("chr", ".", Edit(3, "A", "C"))) is None
    assert REVERSED.read_change(VcfEdit("chr", ".", Edit(2, "GA", "C"))) is None  # not all of it lies here
    assert REVERSED.read_change(VcfEdit("other", ".", Edit(8, "C", "T"))) is None
    forward = Placed("f", encode("GTTG"), None, Region("chr", 2, 6), 10)
    assert forward.read_change(VcfEdit("chr", ".", Edit(3, "TT", "A"))) == Edit(1, "TT", "A")


@pytest.mark.parametrize(
    ("text", "wanted"), [("3-5", (2, 5)), ("-2:+3", (4, 9)), ("-6--5", (0, 2)), ("+1..+1", (6, 7))]
)
def test_windows_count_from_the_first_base_or_from_the_site(text, wanted):
    assert Placed("s", encode("ACGTACGTAC"), 6).window(text) == wanted


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("5", "no window"), ("9-12", "within"), ("5-3", "within"), ("-3-4", "both ends"), ("-1:+0", "0")],
)
def test_windows_that_are_none_are_said(text, sentence):
    with pytest.raises(InputError, match=sentence):
        Placed("s", encode("ACGTACGTAC"), 6).window(text)
