"""The worker's decisions, with a backend whose jobs do what the test says, and a clock that it sets."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from threading import Event

import pytest

from dnalm.lab import jobs, processes, queue
from dnalm.lab.backends import Backend, BackendAwayError, StartError
from dnalm.lab.care import Rules
from dnalm.lab.database import Database
from dnalm.lab.job import Job, JobState
from dnalm.lab.neighbours import Neighbours, worker_id
from dnalm.lab.outcome import EXIT, Outcome, checkpoint_mark, outcome
from dnalm.lab.people import local_user
from dnalm.lab.queue import WorkerInfo
from dnalm.lab.worker import Worker
from dnalm.locks import RUN_LOCK, held
from dnalm.training.config import PretrainConfig

HOST = "lab1"


class Puppets:
    """A backend without processes: the test says what becomes of a job."""

    name = "local"
    anywhere = False

    def __init__(self, slots: Sequence[str] = ("cpu0",)) -> None:
        self._slots = tuple(slots)
        self.living: dict[str, float] = {}
        self.started: list[str] = []
        self.asked: list[str] = []
        self.killed: list[str] = []
        self.away = False
        self.refuses = ""
        self.obeys = False

    def slots(self) -> tuple[str, ...]:
        return self._slots

    def start(self, job: Job, slots: Sequence[str]) -> str:
        if self.refuses:
            raise StartError(self.refuses)
        self.started.append(job.id)
        self.living[job.id] = 0.0
        return job.id

    def find(self, job: Job) -> str | None:
        return job.id if job.id in self.living else None

    def alive(self, handle: str) -> bool:
        if self.away:
            raise BackendAwayError("the engine does not answer")
        return handle in self.living

    def age(self, handle: str) -> float | None:
        return self.living[handle]

    def standing(self, handle: str) -> str:
        return ""

    def terminate(self, handle: str) -> None:
        self.asked.append(handle)
        if self.obeys:
            del self.living[handle]

    def kill(self, handle: str) -> None:
        self.killed.append(handle)
        self.living.pop(handle, None)


class Bench:
    """A lab with one worker on puppets; `now` is its clock, in seconds."""

    def __init__(self, folder: Path) -> None:
        self.db = Database()
        self.db.migrate()
        self.genome = folder / "toy.fna"
        self.genome.write_text(">r\n" + "ACGT" * 200 + "\n")
        self.now = 1000.0
        self.rules = Rules(grace_s=30, silence_s=300, clock=lambda: self.now)
        self.backend = Puppets()
        self.said: list[str] = []
        self.worker = self.another(self.backend)

    def another(self, backend: Puppets, label: str = "") -> Worker:
        return Worker(backend, db=self.db, rules=self.rules, report=self.said.append, host=HOST, label=label)

    def submit(self, **options) -> Job:
        config = PretrainConfig(genomes=[str(self.genome)], steps=5)
        return jobs.submit(local_user(db=self.db), config, db=self.db, **options)

    def job(self, job: Job) -> Job:
        return jobs.find(local_user(db=self.db), job.id, db=self.db)

    def tick(self, seconds: float = 1) -> None:
        self.now += seconds
        self.worker.tick()

    def end(self, job: Job, **record: object) -> None:
        """The job's process ends, with an exit record where one is given."""
        self.backend.living.pop(job.id)
        if record:
            (job.run / EXIT).write_text(json.dumps(record))

    def checkpoint(self, job: Job, step: int) -> None:
        (job.run / "checkpoint").mkdir(exist_ok=True)
        (job.run / "checkpoint" / "state.json").write_text(json.dumps({"step": step}))


@pytest.fixture
def bench(home: Path, tmp_path: Path):
    home.mkdir()
    made = Bench(tmp_path)
    yield made
    made.db.dispose()


def test_puppets_are_a_backend():
    assert isinstance(Puppets(), Backend)


class TestOutcome:
    def test_what_a_folder_says(self, tmp_path):
        assert outcome(tmp_path) == Outcome(None)
        (tmp_path / EXIT).write_text('{"code": 2, "state": "failed", "reason": "no such genome"}')
        assert outcome(tmp_path) == Outcome("failed", "no such genome", 2)
        (tmp_path / "result.json").write_text('{"bundle": "bundle"}')
        assert outcome(tmp_path) == Outcome("succeeded", "", 0)
        assert outcome(tmp_path / "gone").state == "failed"

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"state": "running"}'])
    def test_a_record_that_says_nothing_is_none(self, tmp_path, text):
        (tmp_path / EXIT).write_text(text)
        assert outcome(tmp_path) == Outcome(None)

    def test_a_new_checkpoint_anywhere_has_another_mark(self, tmp_path):
        marks = [checkpoint_mark(tmp_path)]
        for folder in (tmp_path, tmp_path / "pretrain"):
            (folder / "checkpoint").mkdir(parents=True)
            (folder / "checkpoint" / "state.json").write_text("{}")
            marks.append(checkpoint_mark(tmp_path))
        assert len(set(marks)) == 3
        assert checkpoint_mark(tmp_path) == marks[-1]


class TestEnds:
    @pytest.mark.parametrize(
        ("record", "state", "reason"),
        [
            ({"code": 2, "state": "failed", "reason": "no such genome"}, JobState.FAILED, "no such genome"),
            ({"code": 130, "state": "interrupted", "reason": "told to stop"}, JobState.QUEUED, "stopped from outside"),
            ({}, JobState.QUEUED, "ended without saying why"),
        ],
    )
    def test_the_record_says_how_it_ended(self, bench: Bench, record, state, reason):
        job = bench.submit()
        bench.tick()
        assert bench.job(job).state == JobState.RUNNING
        bench.end(job, **record)
        bench.backend.refuses = "not now"
        bench.worker.care.look(bench.job(job))
        assert bench.job(job).state == state
        assert reason in bench.job(job).reason
        assert queue.leases(db=bench.db) == []

    def test_the_record_of_an_earlier_attempt_does_not_count(self, bench: Bench):
        job = bench.submit()
        bench.tick()
        bench.end(job, code=1, state="failed", reason="the disk is full")
        bench.tick()
        jobs.resume(local_user(db=bench.db), job.id, db=bench.db)
        bench.tick()
        bench.end(job)  # killed before it wrote anything
        bench.worker.care.look(bench.job(job))
        assert bench.job(job).state == JobState.QUEUED

    def test_three_deaths_without_a_new_checkpoint_are_enough(self, bench: Bench):
        job = bench.submit()
        for step in (1, 2, 2):
            bench.tick()
            bench.checkpoint(job, step)
            bench.end(job)
        bench.tick()
        assert bench.job(job).state == JobState.RUNNING, "two deaths at checkpoint 2"
        (job.run / "process.txt").write_text("Killed\nRuntimeError: a bad device\n\n")
        bench.end(job)
        bench.tick()
        ended = bench.job(job)
        assert ended.state == JobState.FAILED
        assert "3 times in a row without a new checkpoint" in ended.reason
        assert ended.reason.endswith("the last it said: RuntimeError: a bad device")
        jobs.resume(local_user(db=bench.db), job.id, db=bench.db)
        bench.tick()
        bench.end(job)
        bench.tick()
        assert bench.job(job).state == JobState.RUNNING, "a resumed job is counted anew"

    def test_what_cannot_be_started_is_given_up(self, bench: Bench):
        job = bench.submit()
        bench.backend.refuses = "could not be started (cannot allocate memory)"
        bench.tick()
        bench.tick()
        bench.tick()
        assert bench.job(job).state == JobState.FAILED
        assert bench.job(job).reason.startswith("could not be started (cannot allocate memory), 3 times")

    def test_a_run_that_someone_trains_by_hand_is_waited_for(self, bench: Bench):
        job = bench.submit()
        with held(job.run / RUN_LOCK):
            bench.tick()
            bench.tick()
            assert bench.backend.started == []
        (job.run / "result.json").write_text('{"bundle": "bundle"}')
        bench.tick()
        assert bench.job(job).state == JobState.SUCCEEDED
        assert bench.backend.started == []


class TestStopping:
    def test_asked_once_then_killed_after_the_grace_period(self, bench: Bench):
        job = bench.submit()
        bench.tick()
        jobs.cancel(local_user(db=bench.db), job.id, db=bench.db)
        bench.tick()
        bench.tick(29)
        assert (bench.backend.asked, bench.backend.killed) == ([job.id], [])
        bench.tick(1)
        assert bench.backend.killed == [job.id]
        bench.tick()
        assert bench.job(job).state == JobState.CANCELLED
        assert bench.backend.asked == [job.id]

    def test_one_that_succeeds_meanwhile_has_succeeded(self, bench: Bench):
        job = bench.submit()
        bench.tick()
        jobs.cancel(local_user(db=bench.db), job.id, db=bench.db)
        (job.run / "result.json").write_text('{"bundle": "bundle"}')
        bench.end(job)
        bench.tick()
        assert bench.job(job).state == JobState.SUCCEEDED

    def test_the_limit_holds_though_the_worker_dies_in_between(self, bench: Bench):
        job = bench.submit(limit_minutes=2)
        bench.tick()
        bench.backend.living[job.id] = 119.9
        bench.tick()
        assert bench.backend.asked == []
        bench.backend.living[job.id] = 120.0
        bench.tick()
        assert bench.backend.asked == [job.id]
        bench.end(job, code=130, state="interrupted", reason="told to stop")
        other = bench.another(bench.backend, "b")
        with bench.db.session() as session:  # as if the first one's process had ended
            session.connection().exec_driver_sql("UPDATE workers SET pid = 4194304")
        other.tick()
        assert bench.job(job).state == JobState.FAILED
        assert bench.job(job).reason.startswith("reached its limit of 2 minutes; resume it")


class TestTheWorkerEnds:
    @pytest.fixture
    def stopped(self) -> Event:
        event = Event()
        event.set()
        return event

    def test_its_jobs_go_back_to_the_queue_and_that_is_no_death(self, bench: Bench, stopped: Event):
        job = bench.submit()
        bench.backend.obeys = True
        for _ in range(4):
            bench.worker.tick()
            bench.worker.run_forever(stopped)
            found = bench.job(job)
            assert (found.state, found.worker, found.slots) == (JobState.QUEUED, None, ())
            assert "its worker was stopped" in found.reason
            assert queue.workers(db=bench.db) == []
        assert bench.backend.asked == [job.id] * 4

    def test_a_job_that_was_cancelled_meanwhile_is_cancelled(self, bench: Bench, stopped: Event):
        job = bench.submit()
        bench.tick()
        bench.backend.obeys = True
        jobs.cancel(local_user(db=bench.db), job.id, db=bench.db)
        bench.worker.run_forever(stopped)
        assert bench.job(job).state == JobState.CANCELLED

    def test_where_jobs_are_left_the_next_worker_knows_whose_they_were(self, bench: Bench, stopped: Event):
        job = bench.submit()
        bench.worker.leave_jobs = True
        bench.tick()
        bench.worker.run_forever(stopped)
        assert bench.job(job).state == JobState.RUNNING
        assert bench.backend.asked == []
        assert [worker.id for worker in queue.workers(db=bench.db)] == [bench.worker.id]


class TestTrouble:
    def test_a_database_that_is_away_is_waited_for_and_a_grace_period_is_not(self, bench: Bench, monkeypatch):
        job = bench.submit()
        bench.tick()
        jobs.cancel(local_user(db=bench.db), job.id, db=bench.db)
        bench.tick()
        path = Path(str(bench.db.url.database))
        bench.db.dispose()
        path.rename(path.with_suffix(".away"))
        path.mkdir()
        bench.tick(10)
        bench.tick(30)
        assert bench.backend.killed == [job.id]
        bench.tick()
        assert len([sentence for sentence in bench.said if "trying again" in sentence]) == 1
        path.rmdir()
        path.with_suffix(".away").rename(path)
        bench.tick()
        assert bench.job(job).state == JobState.CANCELLED

    def test_an_engine_that_does_not_answer_changes_nothing(self, bench: Bench):
        job = bench.submit()
        bench.tick()
        bench.backend.away = True
        bench.tick()
        assert bench.job(job).state == JobState.RUNNING
        bench.backend.away = False
        bench.end(job, code=1, state="failed", reason="no")
        bench.tick()
        assert bench.job(job).state == JobState.FAILED

    def test_what_another_worker_was_given_is_ended_here(self, bench: Bench):
        """This machine slept; another took it for dead and queued its job again."""
        job = bench.submit()
        bench.tick()
        queue.requeue(job.id, bench.worker.id, "silent", db=bench.db)
        queue.register(WorkerInfo("other-1-x", "lab2", 1, 0.0, "local", ("cpu0",)), db=bench.db)
        assert queue.claim("other-1-x", db=bench.db).id == job.id
        bench.tick()
        assert bench.backend.killed == [job.id]
        assert bench.job(job).worker == "other-1-x"

    def test_another_machine_s_job_is_taken_over_when_all_is_silent(self, bench: Bench):
        """Its worker's counter stands still, nobody holds the run's lock, and its progress has not moved."""
        job = bench.submit()
        queue.register(WorkerInfo("there-1-x", "lab2", 1, 0.0, "local", ("cpu0",)), db=bench.db)
        queue.claim("there-1-x", db=bench.db)
        queue.attach(job.id, "there-1-x", "a process over there", db=bench.db)
        bench.tick()
        bench.tick(299)
        queue.beat("there-1-x", db=bench.db)
        bench.tick()
        bench.tick(299)
        assert bench.job(job).worker == "there-1-x"
        with held(job.run / RUN_LOCK):
            bench.tick()
            bench.tick(1000)
            assert bench.job(job).worker == "there-1-x"
        bench.tick()  # the process there has gone
        bench.tick(300)
        bench.tick()
        found = bench.job(job)
        assert (found.worker, found.attempts, found.state) == (bench.worker.id, 2, JobState.RUNNING)
        assert bench.backend.started == [job.id]
        assert [worker.id for worker in queue.workers(db=bench.db)] == [bench.worker.id]

    def test_a_start_that_was_not_written_down_is_found(self, bench: Bench):
        job = bench.submit()
        queue.register(WorkerInfo("dead-4194304-x", HOST, 4194304, 0.0, "local", ("cpu0",)), db=bench.db)
        queue.claim("dead-4194304-x", db=bench.db)
        bench.backend.living[job.id] = 0.0
        bench.tick()
        bench.tick()
        assert bench.backend.started == []
        found = bench.job(job)
        assert (found.worker, found.handle, found.attempts) == (bench.worker.id, job.id, 1)
        assert [worker.id for worker in queue.workers(db=bench.db)] == [bench.worker.id]


class TestNeighbours:
    def info(self, **changes) -> WorkerInfo:
        fields = {"id": worker_id(HOST, os.getpid()), "host": HOST, "pid": os.getpid(), "started": 0.0}
        return WorkerInfo(**{**fields, "backend": "local", "slots": ("cpu0",), **changes})

    def test_on_this_machine_the_process_decides(self):
        here = Neighbours(HOST, 300, lambda: 0)
        assert not here.is_dead(self.info())
        assert here.is_dead(self.info(pid=4194304))
        assert here.is_dead(self.info(id=f"{HOST}-{os.getpid()}-000000000000.1")), "another process had that number"

    def test_elsewhere_only_silence_by_our_own_clock_does(self):
        now = [0.0]
        here = Neighbours(HOST, 300, lambda: now[0])
        there = {"host": "lab2", "id": "lab2-1-x"}
        assert not here.is_dead(self.info(**there, beats=7))
        now[0] = 299
        assert not here.is_dead(self.info(**there, beats=7))
        assert not here.is_dead(self.info(**there, beats=8))
        now[0] = 598
        assert not here.is_dead(self.info(**there, beats=8))
        now[0] = 599
        assert here.is_dead(self.info(**there, beats=8))

    def test_a_job_elsewhere_is_gone_when_its_run_is_silent_too(self, bench: Bench):
        job, now = bench.submit(), [0.0]
        here = Neighbours(HOST, 300, lambda: now[0])
        assert not here.is_gone(job)
        now[0] = 400
        with held(job.run / RUN_LOCK):
            assert not here.is_gone(job)
        assert here.is_gone(job)
        (job.run / "progress.json").write_text("{}")
        assert not here.is_gone(job)


class TestProcesses:
    def test_a_birth_tells_a_process_from_others_of_its_number(self):
        born = processes.birth(os.getpid())
        assert born == processes.birth(os.getpid())
        assert born != processes.birth(1)  # a parent may be made in the same tick
        assert processes.birth(4194304) is None

    def test_age(self):
        young, old = processes.age(processes.birth(os.getpid())), processes.age(processes.birth(1))
        assert 0 <= young < old
