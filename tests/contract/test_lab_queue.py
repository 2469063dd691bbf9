"""The queue is fair, and each job begins once: orders worked out by hand, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import select, update
from toy_queue import begin, done, enqueue, order, people, worker

from dnalm.lab import audit, jobs, queue
from dnalm.lab.database import Database
from dnalm.lab.job import JobState
from dnalm.lab.people import local_user
from dnalm.lab.queue import WorkerInfo
from dnalm.lab.schema import JobRow, UserRow
from dnalm.settings import settings


def state(job_id: str) -> str:
    return jobs.find(local_user(), job_id).state


def test_nothing_waits_nothing_begins(db: Database):
    worker()
    assert begin() is None
    people("ann")
    enqueue(db, "a", "ann")
    assert begin("unknown worker") is None


def test_one_person_is_served_in_the_order_of_asking(db: Database):
    people("ann")
    for name in ("a1", "a2", "a3"):
        enqueue(db, name, "ann")
    worker()
    assert order() == ["a1", "a2", "a3"]


def test_people_take_turns_however_many_jobs_one_has(db: Database):
    people("ann", "ben", "cleo")
    for name in ("a1", "a2", "a3", "a4"):
        enqueue(db, name, "ann")
    for name in ("b1", "b2"):
        enqueue(db, name, "ben")
    enqueue(db, "c1", "cleo")
    worker()
    # Nobody was served before: by age, then whoever was served longest ago.
    assert order() == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]


def test_the_person_with_fewest_running_goes_first(db: Database):
    people("ann", "ben")
    for name in ("a1", "a2", "a3", "b1", "b2"):
        enqueue(db, name, {"a": "ann", "b": "ben"}[name[0]])
    worker(slots=3)
    assert [begin(), begin(), begin()] == ["a1", "b1", "a2"]
    done(jobs.find(local_user(), "b1"))
    # ann has two running and ben none, though ann asked for a3 before ben asked for b2
    assert begin() == "b2"
    done(jobs.find(local_user(), "a1"))
    assert begin() == "a3"


def test_priority_goes_before_fairness(db: Database):
    people("ann", "ben")
    for name in ("a1", "b1", "a2", "a3"):
        enqueue(db, name, {"a": "ann", "b": "ben"}[name[0]])
    jobs.prioritise(local_user(), "a3", 10)
    jobs.prioritise(local_user(), "a1", -10)
    worker()
    assert order() == ["a3", "b1", "a2", "a1"]


def test_a_job_takes_as_many_slots_as_it_wants_and_gives_them_back(db: Database):
    people("ann")
    enqueue(db, "two", "ann", devices=2)
    enqueue(db, "one", "ann")
    worker(slots=3)
    two, one = queue.claim("w"), queue.claim("w")
    assert (two.slots, one.slots) == (("cpu:0", "cpu:1"), ("cpu:2",))
    assert [(lease.slot, lease.job_id, lease.owner_name) for lease in queue.leases()] == [
        ("cpu:0", "two", "Ann"),
        ("cpu:1", "two", "Ann"),
        ("cpu:2", "one", "Ann"),
    ]
    done(two)
    assert [lease.job_id for lease in queue.leases()] == ["one"]
    assert jobs.find(local_user(), "two").slots == ()


def test_small_jobs_do_not_starve_a_large_one(db: Database):
    people("ann", "ben")
    enqueue(db, "a1", "ann")
    worker(slots=2)
    assert begin() == "a1"
    enqueue(db, "large", "ben", devices=2)
    for number in range(2, 6):
        enqueue(db, f"a{number}", "ann")
    assert begin() is None, "a slot is free, and kept for the large job"
    done(jobs.find(local_user(), "a1"))
    assert begin() == "large"


def test_the_place_of_a_large_job_is_kept_when_others_come_who_have_less(db: Database):
    people("ann", "ben", "cleo")
    enqueue(db, "b1", "ben")
    enqueue(db, "large", "ben", devices=2)
    worker(slots=2)
    assert [begin(), begin()] == ["b1", None]
    enqueue(db, "c1", "cleo")  # cleo has nothing running, ben has: yet his large job came to the head first
    assert begin() is None
    done(jobs.find(local_user(), "b1"))
    assert [begin(), begin()] == ["large", None]


def test_a_small_worker_passes_over_what_only_a_large_one_can_run(db: Database):
    people("ann", "ben")
    enqueue(db, "large", "ann", devices=4)
    enqueue(db, "small", "ben")
    worker("little", slots=1)
    worker("great", slots=4)
    assert begin("little") == "small"
    assert begin("great") == "large"


def test_one_worker_keeps_a_place_and_another_works_on(db: Database):
    people("ann", "ben")
    worker("first", slots=2)
    worker("second", slots=2)
    for name in ("a1", "a2"):
        enqueue(db, name, "ann")
    assert [begin("first"), begin("second")] == ["a1", "a2"]
    enqueue(db, "large", "ben", devices=2)
    enqueue(db, "a3", "ann")
    assert begin("first") is None
    assert begin("second") == "a3"
    done(jobs.find(local_user(), "a2"))
    done(jobs.find(local_user(), "a3"))
    assert begin("second") == "large", "wherever there is room first"


def test_the_place_that_a_worker_kept_goes_with_it(db: Database):
    people("ann", "ben")
    worker("first", slots=2)
    worker("second", slots=2)
    for name in ("a1", "a2"):
        enqueue(db, name, "ann")
    assert [begin("first"), begin("second")] == ["a1", "a2"]
    enqueue(db, "large", "ben", devices=2)
    enqueue(db, "a3", "ann")
    assert begin("first") is None
    queue.unregister("first")
    assert begin("second") is None, "it keeps the place now"


def test_workers_of_one_host_share_its_slots(db: Database):
    people("ann")
    for name in ("a1", "a2"):
        enqueue(db, name, "ann")
    worker("first", host="server")
    worker("second", host="server")
    assert [begin("first"), begin("second")] == ["a1", None]
    done(jobs.find(local_user(), "a1"))
    assert begin("second") == "a2"


def test_a_worker_without_slots_of_its_own_has_no_limit(db: Database):
    people("ann")
    for number in range(5):
        enqueue(db, f"a{number}", "ann", devices=number + 1)
    queue.register(WorkerInfo("cluster", "head", 1, 1.0, "slurm", ()))
    assert [queue.claim("cluster").backend for _ in range(5)] == ["slurm"] * 5
    assert queue.leases() == []


def test_a_job_queued_again_keeps_its_place_and_its_count(db: Database):
    people("ann")
    for name in ("a1", "a2"):
        enqueue(db, name, "ann")
    worker()
    assert begin() == "a1"
    assert queue.attach("a1", "w", "4711")
    assert queue.requeue("a1", "w", "its machine died")
    again = jobs.find(local_user(), "a1")
    assert (again.state, again.reason, again.worker, again.handle) == ("queued", "its machine died", None, None)
    job = queue.claim("w")
    assert (job.id, job.attempts, job.reason) == ("a1", 2, "")


def test_a_job_that_was_to_be_cancelled_is_not_queued_again(db: Database):
    people("ann")
    enqueue(db, "a", "ann")
    worker()
    begin()
    jobs.cancel(local_user(), "a")
    assert [job.id for job in queue.cancel_requests("w")] == ["a"]
    assert queue.requeue("a", "w", "its machine died")
    assert state("a") == "cancelled"
    assert queue.leases() == []
    assert begin() is None


def test_only_the_worker_that_runs_a_job_says_what_became_of_it(db: Database):
    people("ann")
    enqueue(db, "a", "ann")
    worker("first")
    worker("second")
    begin("first")
    assert not queue.finish("a", "second", JobState.FAILED, "no", 1)
    assert not queue.requeue("a", "second", "no")
    assert not queue.attach("a", "second", "no")
    assert not queue.adopt("a", "second", "first")
    assert queue.adopt("a", "first", "second")
    assert not queue.adopt("a", "first", "third"), "someone was quicker"
    assert [lease.worker for lease in queue.leases()] == ["second"]
    assert not queue.finish("a", "first", JobState.FAILED, "no", 1)
    assert queue.finish("a", "second", JobState.FAILED, "out of memory", 1)
    assert not queue.finish("a", "second", JobState.SUCCEEDED, "", 0), "an end is an end"
    found = jobs.find(local_user(), "a")
    assert (found.state, found.reason, found.exit_code, found.worker) == ("failed", "out of memory", 1, "second")
    with pytest.raises(ValueError, match="ends as one of"):
        queue.finish("a", "second", JobState.QUEUED, "", 0)


def test_a_worker_is_known_by_its_beats(db: Database):
    worker("w", slots=2)
    for _ in range(3):
        queue.beat("w")
    assert queue.workers() == [WorkerInfo("w", "host-of-w", 1, 1.0, "local", ("cpu:0", "cpu:1"), 3)]
    queue.unregister("w")
    queue.unregister("w")
    assert queue.workers() == []


def test_every_step_of_a_job_is_in_the_audit(db: Database):
    people("ann")
    enqueue(db, "a", "ann")
    worker()
    done(queue.claim("w"))
    steps = [(entry.actor, entry.action) for entry in audit.entries(local_user(), subject="job:a")]
    assert steps == [("worker:w", "job.finish"), ("worker:w", "job.start")]


def test_a_clock_that_jumps_changes_no_order_and_no_state(db: Database, monkeypatch: pytest.MonkeyPatch):
    people("ann", "ben")
    days = iter([0, -400, 900, -3, 5000, 0, 77, -77])

    def jumping() -> datetime:
        return datetime.fromisoformat("2026-03-01T00:00:00+00:00") + timedelta(days=next(days))

    monkeypatch.setattr("dnalm.lab.queue.now", jumping)
    for name in ("a1", "a2", "b1", "b2"):
        enqueue(db, name, {"a": "ann", "b": "ben"}[name[0]])
    worker()
    assert order() == ["a1", "b1", "a2", "b2"]
    assert {job.state for job in jobs.visible(local_user())} == {"succeeded"}


JOBS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 3), st.integers(0, 1)), min_size=1, max_size=9)
LIGHT = examples(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@LIGHT
@given(wanted=JOBS, ending=st.randoms(use_true_random=False))
def test_each_job_begins_once_and_none_is_left(db: Database, wanted, ending):
    """Whatever was asked for, and in whatever order jobs end: slots are never lent twice, and all is done."""
    fresh(db)
    for number, (owner, devices, priority) in enumerate(wanted):
        enqueue(db, f"{number}", owner, devices=devices, priority=priority)
    worker(slots=3)
    begun: Counter[str] = Counter()
    going = []
    while len(begun) < len(wanted) or going:
        while job := queue.claim("w"):
            begun[job.id] += 1
            going.append(job)
            held = [slot for other in going for slot in other.slots]
            assert len(job.slots) == job.devices
            assert len(held) == len(set(held)) <= 3
        assert going, "nothing runs, and what waits does not begin"
        done(going.pop(ending.randrange(len(going))))
    assert set(begun.values()) == {1}


@LIGHT
@given(ending=st.randoms(use_true_random=False), devices=st.integers(1, 3), before=st.integers(0, 6))
def test_nobody_is_starved_by_people_who_always_ask_again(db: Database, ending, devices, before):
    """Two people always have small jobs waiting. A third, with nothing running, waits for one of each at most."""
    fresh(db)
    worker(slots=3)
    for number in range(12):
        enqueue(db, f"a{number}", "a")
        enqueue(db, f"b{number}", "b")
    going = []
    for _ in range(before):
        while job := queue.claim("w"):
            going.append(job)
        done(going.pop(ending.randrange(len(going))))
    enqueue(db, "third", "c", devices=devices)
    others = 0
    while True:
        while job := queue.claim("w"):
            if job.id == "third":
                assert others <= 2
                return
            others += 1
            going.append(job)
        done(going.pop(ending.randrange(len(going))))


def fresh(db: Database) -> None:
    """Three people who were never served, and an empty queue."""
    with db.session() as session:
        for row in session.scalars(select(JobRow)):
            for lease in row.leases:
                session.delete(lease)
            session.flush()
            session.delete(row)
        session.execute(update(UserRow).values(served=0))
        known = set(session.scalars(select(UserRow.id)))
    if "a" not in known:
        people("a", "b", "c")


CLAIMER = """
import sys
from dnalm.lab import queue
from dnalm.lab.job import JobState
name = sys.argv[1]
queue.register(queue.WorkerInfo(name, name, 1, 1.0, "local", ("cpu:0", "cpu:1")))
print("ready", flush=True)
sys.stdin.readline()
while job := queue.claim(name):
    print(job.id, job.attempts, flush=True)
    assert queue.finish(job.id, name, JobState.SUCCEEDED, "", 0)
"""


def test_many_workers_at_once_begin_each_job_once(db: Database):
    people("ann", "ben")
    wanted = {enqueue(db, f"{number}", "ann" if number % 3 else "ben") for number in range(30)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    started = [subprocess.Popen([sys.executable, "-c", CLAIMER, f"w{number}"], **pipes) for number in range(4)]
    assert [process.stdout.readline() for process in started] == ["ready\n"] * 4
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    printed = [process.communicate(timeout=120)[0].split("\n")[:-1] for process in started]
    assert [process.returncode for process in started] == [0] * 4
    assert sorted(line for lines in printed for line in lines) == sorted(f"{name} 1" for name in wanted)
    assert {job.state for job in jobs.visible(local_user())} == {"succeeded"}
    starts = [entry.subject for entry in audit.entries(local_user(), limit=1000) if entry.action == "job.start"]
    assert sorted(starts) == sorted(f"job:{name}" for name in wanted)


KILLED = """
import sys, time
from dnalm.lab import queue
from dnalm.lab.job import job_of
def stuck(row):
    print("inside", flush=True)
    time.sleep(600)
queue.job_of = stuck
queue.claim("dying")
"""


def test_a_worker_killed_in_the_middle_of_a_claim_leaves_the_job_waiting(db: Database):
    people("ann")
    enqueue(db, "a", "ann")
    worker("dying")
    worker("living")
    process = subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "inside\n"
    assert state("a") == "queued"
    process.kill()
    process.wait(timeout=60)
    assert begin("living") == "a"
    assert [lease.worker for lease in queue.leases()] == ["living"]


def run_folder_says(job_id: str, eta_s: float) -> None:
    folder: Path = settings().runs / f"run-{job_id}"
    folder.mkdir(parents=True)
    (folder / "progress.json").write_text(json.dumps({"eta_s": eta_s}))


def lasted(db: Database, job_id: str, minutes: float) -> None:
    with db.session() as session:
        row = session.get_one(JobRow, job_id)
        row.ended = row.started + timedelta(minutes=minutes)


def test_the_wait_is_worked_out_from_what_runs_and_what_earlier_jobs_took(db: Database):
    people("ann", "ben")
    enqueue(db, "earlier", "ben")
    worker()
    done(queue.claim("w"))
    lasted(db, "earlier", 10)
    for name in ("a1", "a2", "a3", "b1"):
        enqueue(db, name, {"a": "ann", "b": "ben"}[name[0]])
    assert begin() == "a1"
    run_folder_says("a1", 90)
    # a1 has 90 s left; jobs of this phase took ten minutes; ann was served last, but then ben: a2 before a3.
    assert queue.forecast() == {
        "b1": queue.Waiting(1, 90),
        "a2": queue.Waiting(2, 690),
        "a3": queue.Waiting(3, 1290),
    }
    assert queue.waiting("a2") == queue.Waiting(2, 690)


def test_without_a_worker_or_a_history_there_is_an_order_but_no_time(db: Database):
    people("ann", "ben")
    for name in ("a1", "a2", "b1"):
        enqueue(db, name, {"a": "ann", "b": "ben"}[name[0]])
    assert queue.forecast() == {
        "a1": queue.Waiting(1, None),
        "b1": queue.Waiting(2, None),
        "a2": queue.Waiting(3, None),
    }
    worker()
    assert queue.waiting("a1") == queue.Waiting(1, 0), "a slot is free now"
    assert queue.waiting("b1") == queue.Waiting(2, None), "who knows how long a1 takes"


def test_the_forecast_is_the_order_in_which_jobs_begin(db: Database):
    people("ann", "ben", "cleo")
    for name, devices in [("a1", 1), ("a2", 2), ("b1", 1), ("a3", 1), ("c1", 2), ("b2", 1), ("c2", 1)]:
        enqueue(db, name, {"a": "ann", "b": "ben", "c": "cleo"}[name[0]], devices=devices)
    jobs.prioritise(local_user(), "b2", 5)
    worker(slots=2)
    expected = list(queue.forecast())
    found, going = [], []
    while len(found) < 7:
        while job := queue.claim("w"):
            found.append(job.id)
            going.append(job)
        done(going.pop(0))
    assert found == expected


def test_a_job_larger_than_every_worker_waits_without_a_time(db: Database):
    people("ann")
    enqueue(db, "large", "ann", devices=2)
    enqueue(db, "small", "ann")
    worker()
    assert queue.forecast() == {"small": queue.Waiting(1, 0), "large": queue.Waiting(2, None)}
