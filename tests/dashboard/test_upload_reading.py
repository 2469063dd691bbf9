"""A large upload is read beside the page: at once, with its progress, and without holding up the page."""

from __future__ import annotations

import io
import threading

import pytest

from dashboard import background, labelled_uploads, upload_reading
from dashboard.background import TaskState
from dashboard.labelled_uploads import Preview
from dnalm.datasets import intake
from dnalm.errors import InputError
from dnalm.lab.people import User

ANNA = User("anna", "Anna", "member")
TABLE = b"id,dna,kind\n" + b"".join(
    b"r%d,%s,%s\n" % (n, b"ACGTTGCA" * (2 + n), (b"yes", b"no")[n % 2]) for n in range(8)
)
WAIT = 60


@pytest.fixture
def table(house):
    return (labelled_uploads.keep(io.BytesIO(TABLE), "mine.csv", ANNA.id),)


@pytest.fixture
def gate(monkeypatch):
    """Readings tell each sequence, and stop after the third until the gate is opened."""
    opened, reached = threading.Event(), threading.Event()
    real = labelled_uploads.take_in

    def slow(*paths, progress, **options):
        def told(read):
            progress(read)
            if read == 3:
                reached.set()
                assert opened.wait(WAIT)
                progress(read)

        return real(*paths, progress=told, **options)

    monkeypatch.setattr(intake, "TOLD_EACH", 1)
    monkeypatch.setattr(labelled_uploads, "take_in", slow)
    monkeypatch.setattr(upload_reading, "SOON", 0.0)
    opened.reached = reached
    yield opened
    opened.set()


def test_a_small_file_is_there_at_once(table):
    found = upload_reading.preview(ANNA, table)
    assert isinstance(found, Preview)
    assert found.labels == {"yes": 4, "no": 4}


def test_a_large_one_says_how_far_it_is_and_waits_for_no_turn(table, gate):
    held = threading.Event()
    others = [
        background.start(f"other-{n}", "other", lambda task: held.wait(WAIT)) for n in range(background.AT_A_TIME)
    ]
    try:
        task = upload_reading.preview(ANNA, table)
        assert gate.reached.wait(WAIT)
        assert upload_reading.preview(ANNA, table) is task  # a reload finds it again
        assert task.state == TaskState.RUNNING
        assert task.step == "reading mine.csv: 3 sequences"
        gate.set()
        assert background.wait(task.key, WAIT).state == TaskState.DONE
        assert upload_reading.preview(ANNA, table).read == 8
    finally:
        held.set()
    assert [background.wait(other.key, WAIT).state for other in others] == [TaskState.DONE] * background.AT_A_TIME


def test_a_cancelled_reading_leaves_nothing_and_can_be_asked_for_again(table, gate):
    task = upload_reading.preview(ANNA, table)
    assert gate.reached.wait(WAIT)
    background.cancel(task.key)
    gate.set()
    assert background.wait(task.key, WAIT).state == TaskState.CANCELLED
    assert upload_reading.preview(ANNA, table) is task
    background.forget(task.key)
    upload_reading.preview(ANNA, table)
    assert background.wait(task.key, WAIT).state == TaskState.DONE
    assert upload_reading.preview(ANNA, table).read == 8


def test_what_is_wrong_with_a_file_is_said_each_time(house):
    bad = (labelled_uploads.keep(io.BytesIO(b">p\nMKLVVEFPQ\n"), "p.fa", ANNA.id),)
    for _ in range(2):
        with pytest.raises(InputError, match=r"p\.fa, record 'p', line 2: 'L' is no nucleotide"):
            upload_reading.preview(ANNA, bad)
