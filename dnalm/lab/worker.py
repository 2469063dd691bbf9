"""The supervisor: takes jobs from the queue, runs them on a backend, and puts right what a crash left.

It looks at all of its jobs in turn and waits for none. Everything it decides follows from the rows and the run folders,
so that another worker can go on where this one was killed, at any instant.
"""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Callable
from threading import Event

import psutil

from dnalm.lab import queue
from dnalm.lab.backends import Backend, BackendAwayError
from dnalm.lab.care import Care, Rules
from dnalm.lab.database import Database, DatabaseError
from dnalm.lab.job import Job
from dnalm.lab.neighbours import Neighbours, worker_id
from dnalm.lab.queue import WorkerInfo

_AWAY = (DatabaseError, BackendAwayError, OSError)
_STOP_TICK_S = 0.2


class Worker:
    """One supervisor process.

    Args:
        backend: where jobs run.
        db: the database; else that of the settings.
        rules: how it behaves.
        leave_jobs: when it is stopped, its jobs go on, and the next worker of this machine takes them over; else they
            write a checkpoint, end, and are queued again. What runs on an engine of its own always goes on.
        report: called with a sentence for each thing done.
        host: the name of this machine.
        label: tells several workers in one process from each other.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        db: Database | None = None,
        rules: Rules | None = None,
        leave_jobs: bool = False,
        report: Callable[[str], None] = lambda sentence: None,
        host: str | None = None,
        label: str = "",
    ) -> None:
        self.backend, self.db, self.rules, self.report = backend, db, rules or Rules(), report
        self.leave_jobs = leave_jobs or backend.anywhere
        self.host = host or socket.gethostname()
        self.id = worker_id(self.host, os.getpid(), label)
        self.slots = backend.slots()
        self.care = Care(self.id, backend, self.rules, report, db)
        self.neighbours = Neighbours(self.host, self.rules.silence_s, self.rules.clock)
        self._jobs: dict[str, Job] = {}
        self._away = ""
        self._beaten = -math.inf

    def run_forever(self, stop: Event) -> None:
        """Work until `stop` is set, then see to it that no job is left without someone who looks after it."""
        while not stop.is_set():
            self.tick()
            stop.wait(self.rules.tick_s)
        self._stop()

    def tick(self) -> None:
        """One round: a sign of life, the dead workers' jobs, the own jobs, new jobs."""
        reached = self._try(self._keep_known) and self._try(self._refresh)
        if reached:
            self._try(self._end_lost)
        # Also while the database is away: a grace period or a limit does not wait for it.
        for job in list(self._jobs.values()):
            self._try(lambda job=job: self.care.look(job))
        while reached and self._try(self._claim):
            pass

    def _try(self, work: Callable[[], object]) -> bool:
        """Do something that the database, the engine or a disk may refuse for a while. True where it was done."""
        try:
            done = work()
        except _AWAY as error:
            if str(error) != self._away:  # said once, tried each round
                self.report(f"{error}; trying again")
                self._away = str(error)
            return False
        return done is not False

    def _keep_known(self) -> None:
        """Be known and beat; take over from the dead."""
        known = {worker.id: worker for worker in queue.workers(db=self.db)}
        if self.id not in known:  # the first time, or another took this one for dead
            started = psutil.Process().create_time()
            queue.register(
                WorkerInfo(self.id, self.host, os.getpid(), started, self.backend.name, self.slots), db=self.db
            )
        now = self.rules.clock()
        if now - self._beaten >= self.rules.beat_s:
            queue.beat(self.id, db=self.db)
            self._beaten = now
        running = queue.running(db=self.db)
        self.neighbours.keep({*known, *(job.id for job in running)})
        for other in known.values():
            if other.id != self.id and other.backend == self.backend.name and self.neighbours.is_dead(other):
                self._take_over(other, [job for job in running if job.worker == other.id])
        nobodys = [job for job in running if job.worker not in known and job.worker != self.id]
        for job in nobodys:
            if job.backend == self.backend.name and (self.backend.anywhere or self.neighbours.is_gone(job)):
                self._adopt(job)

    def _take_over(self, dead: WorkerInfo, jobs: list[Job]) -> None:
        reachable = self.backend.anywhere or dead.host == self.host
        taken = [self._adopt(job) for job in jobs if reachable or self.neighbours.is_gone(job)]
        if len(taken) == len(jobs):
            queue.unregister(dead.id, db=self.db)
            self.report(f"worker {dead.id} is dead: took over {len(jobs)} of its jobs")

    def _adopt(self, job: Job) -> bool:
        return queue.adopt(job.id, str(job.worker), self.id, db=self.db)

    def _refresh(self) -> None:
        self._jobs = {job.id: job for job in queue.running(self.id, db=self.db)}
        self._away = ""

    def _end_lost(self) -> None:
        """End what runs here of jobs that another worker was given; leave alone what it goes on looking after."""
        lost = self.care.handles.keys() - self._jobs.keys()
        if not lost:
            return
        elsewhere = {job.id: job.handle for job in queue.running(db=self.db)}
        for job_id in lost:
            if elsewhere.get(job_id) != self.care.handles[job_id]:
                self.care.lost(job_id)

    def _claim(self) -> bool:
        job = queue.claim(self.id, db=self.db)
        if job is None:
            return False
        self._jobs[job.id] = job
        self.care.look(job)
        return True

    def _stop(self) -> None:
        self._try(self._refresh)
        left = dict(self._jobs)
        if left and self.leave_jobs:
            # Still known as a worker, so that the next one sees whose the jobs were.
            self.report(f"{len(left)} jobs go on running; the next worker takes them over")
            return
        if left:
            self.report(f"stopping {len(left)} jobs; they go on from their checkpoints when a worker is started")
        pause, patience = Event(), self.rules.clock() + self.rules.grace_s + 10
        while left and self.rules.clock() < patience:
            for job in list(left.values()):
                if self._try(lambda job=job: self.care.stop(job)):
                    del left[job.id]
            if left:
                pause.wait(min(_STOP_TICK_S, self.rules.tick_s))
        if not left:
            self._try(lambda: queue.unregister(self.id, db=self.db))
