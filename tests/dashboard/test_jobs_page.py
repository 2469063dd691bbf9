"""The Jobs page in each state: what it says, what it offers, and when its clock runs."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest
import streamlit as st
import streamlit.testing.v1.local_script_runner as local_script_runner
from streamlit.testing.v1 import AppTest
from toy_family import finished_run
from toy_jobs import FULL, ToyJobs, finish_run, write_progress
from toy_models import language_model_bundle, toy_dataset

from dashboard import engine, person, queue_reading, run_reading
from dashboard.saying import plain
from dashboard.views import jobs_one
from dnalm.lab import index, jobs, queue, runs
from dnalm.lab.backends import BackendAwayError
from dnalm.lab.database import database
from dnalm.lab.jobs import JobState
from dnalm.lab.people import add_user, local_user
from dnalm.settings import settings
from dnalm.training.config import FinetuneConfig, TrainConfig
from dnalm.training.run import RunFolder

MAIN = Path(__file__).resolve().parents[2] / "dashboard" / "main.py"
CLOCKS: list[float] = []


@pytest.fixture(autouse=True)
def lab(home, monkeypatch):
    """A home with a database of its own; `CLOCKS` holds the intervals of the fragments of the last run."""
    database.cache_clear()
    run_reading.reader.clear()
    queue_reading.reader.forget()
    monkeypatch.setattr(queue_reading, "FRESH_S", 0.0)
    parse = local_script_runner.parse_tree_from_messages

    def note_clocks(messages):
        CLOCKS[:] = [one.auto_rerun.interval for one in messages if one.WhichOneof("type") == "auto_rerun"]
        return parse(messages)

    monkeypatch.setattr(local_script_runner, "parse_tree_from_messages", note_clocks)
    yield ToyJobs(home)
    database().dispose()
    database.cache_clear()


def opened(**query):
    page = AppTest.from_file(str(MAIN), default_timeout=60)
    page.switch_page("views/jobs.py")
    for key, value in query.items():
        page.query_params[key] = value
    return again(page)


def again(page):
    page.run()
    assert not page.exception, page.exception[0].message
    return page


def words(page):
    parts = [*page.title, *page.header, *page.subheader, *page.markdown, *page.text, *page.caption]
    parts += [*page.warning, *page.error, *page.info, *page.code]
    # Progress bars and links have their words in their messages.
    bars = [one.proto.text for one in page.get("progress")]
    links = [one.proto.label for one in page.get("page_link")]
    return "\n".join([*(str(part.value) for part in parts), *bars, *links])


def labels(page):
    return [button.label for button in page.button]


class TestTheList:
    def test_empty_it_says_what_to_do_and_no_clock_runs(self, lab):
        page = opened()
        shown = words(page)
        assert page.title[0].value == "What is running, and what comes next?"
        assert "No job yet" in shown
        assert "No worker is running, so no job begins." in shown
        assert "dnalm worker" in shown
        assert CLOCKS == []

    def test_queued_without_a_worker(self, lab):
        lab.queued("gut-phages")
        page = opened()
        assert "1 job waits meanwhile; nothing is lost" in words(page)
        waiting = page.dataframe[0].value
        assert waiting["Name"].tolist() == ["gut-phages"]
        assert waiting["When"].tolist() == ["waits until a worker is started"]
        assert CLOCKS == [15.0]

    def test_running_and_queued_with_positions_slots_and_holders(self, lab):
        lab.running("one")
        lab.running("two", at=75)
        lab.queued("three")
        lab.queued("four")
        page = opened()
        shown = words(page)
        assert "No worker" not in shown
        assert "Pre-training: step 300 of 750 (40%), 51,000 bases/s, about 45 s left." in shown
        assert "(local user, pre-training on cpu1)" in shown
        waiting, slots, table = (frame.value for frame in page.dataframe)
        assert waiting["Place"].tolist() == [1, 2]
        assert waiting["Name"].tolist() == ["three", "four"]
        # The first slot is free in 45 s, the second in 67.5 s: what the runs themselves say.
        assert [one.split("; ")[1] for one in waiting["When"]] == ["begins in about 45 s", "begins in about 68 s"]
        assert slots["Slot"].tolist() == ["cpu0", "cpu1"]
        assert slots["For"].tolist() == ["one", "two"]
        assert "2 of 2 in use" in shown
        assert table["State"].tolist() == ["waits", "waits", "running", "running"]
        assert CLOCKS == [2.0]

    def test_when_all_are_done_no_clock_runs(self, lab):
        lab.done("first")
        lab.ended("second", JobState.FAILED, FULL)
        lab.ended("third", JobState.CANCELLED, "cancelled by local user")
        page = opened()
        table = page.dataframe[-1].value
        assert table["State"].tolist() == ["cancelled", "failed", "done"]
        assert table["Remark"].tolist()[1] == FULL
        assert CLOCKS == []

    def test_a_dead_worker_is_not_counted(self, lab):
        lab.queued("one")
        lab.start_worker()
        assert "No worker" not in words(opened())
        # As a worker of an earlier boot: its number is in use, but by another process.
        lab.stop_worker()
        lab.worker = lab.worker + "0"
        lab.start_worker()
        assert "No worker is running" in words(opened())

    def test_filters_live_in_the_address(self, lab):
        lab.done("ecoli")
        lab.ended("vibrio", JobState.FAILED, FULL)
        page = opened(state="failed", q="disk")
        assert page.dataframe[-1].value["Name"].tolist() == ["vibrio"]
        page.text_input(key="jobs_search").set_value("toy.fna ecoli")
        again(page)
        assert page.query_params["q"] == "toy.fna ecoli" or page.query_params["q"] == ["toy.fna ecoli"]
        assert "No job fits" in words(page)

    def test_other_people_s_private_jobs_are_counted_not_shown(self, lab, monkeypatch):
        lab.running("secret")
        lab.running("open", shared=True)
        lab.queued("hidden")
        ann = add_user(local_user(), "ann", "Ann")
        lab.queued("mine", user=ann)
        monkeypatch.setattr(person, "acting_user", lambda: ann)
        page = opened()
        shown = words(page)
        assert "secret" not in shown
        assert "hidden" not in shown
        waiting, slots, table = (frame.value for frame in page.dataframe)
        assert waiting["Name"].tolist() == ["mine"]
        assert "1 private job of other people" in shown
        assert slots["For"].tolist() == ["a private job", "open"]
        assert table["Name"].tolist() == ["mine", "open"]


class TestOneJob:
    def test_queued(self, lab):
        lab.running("a")
        lab.running("b")
        job = lab.queued("waits")
        page = opened(job=job.id)
        shown = words(page)
        assert page.title[0].value == "How is waits doing?"
        assert "Next in the queue; begins in about 45 s" in page.info[0].value
        assert "The first point comes a few seconds after" in shown
        assert CLOCKS == [2.0] or CLOCKS == [5.0]

    def test_running_shows_progress_curves_and_the_tail_of_the_log(self, lab):
        job = lab.running("runs")
        page = opened(job=job.id)
        shown = words(page)
        assert "step 300 of 750 (40%)" in shown
        assert "On cpu0." in shown
        assert "step 300 of 750" in page.code[0].value
        assert traces(page)["training text"][-1] == pytest.approx(1.9 + 0.1 * 0.1353, abs=0.01)
        assert len(traces(page)["held-out text"]) == 2
        assert CLOCKS == [2.0]
        write_progress(job, 450, since=300)
        assert len(traces(again(page))["held-out text"]) == 3

    def test_cancel_asks_and_the_worker_does_the_rest(self, lab):
        job = lab.running("runs")
        page = opened(job=job.id)
        assert "Resume" not in labels(page)
        page.button(key="job_cancel").click()
        again(page)
        assert lab.again(job).cancel_requested
        assert "stopping" in page.markdown[0].value
        assert "Stopping: it writes a checkpoint first" in words(page)

    def test_cancelled_can_be_resumed(self, lab):
        job = lab.ended("stopped", JobState.CANCELLED, "cancelled by local user")
        page = opened(job=job.id)
        assert page.title[0].value == "What came of stopped?"
        told = page.warning[0].value.replace("\\", "")
        assert told.startswith("Cancelled by local user. It had come to step 300 of 750 (40%) of pre-training.")
        assert CLOCKS == []
        page.button(key="job_resume").click()
        again(page)
        assert lab.again(job).state is JobState.QUEUED
        assert page.title[0].value == "How is stopped doing?"
        assert CLOCKS == [5.0]

    def test_failed_says_its_sentence_and_opens_the_log(self, lab):
        job = lab.ended("broken", JobState.FAILED, FULL)
        page = opened(job=job.id)
        assert page.error[0].value == plain(FULL)
        assert "then **Resume**: it begins anew, as it came to no checkpoint." in words(page)
        RunFolder(job.run).save_checkpoint({}, {"phase": "pretrain", "step": 300})
        assert "then **Resume**: it goes on from its last checkpoint." in words(opened(job=job.id))
        assert "Resume" in labels(page)
        assert "job_cancel" not in [button.key for button in page.button]
        assert CLOCKS == []

    def test_a_path_in_the_sentence_is_shown_as_it_is(self, lab):
        job = lab.ended("odd", JobState.FAILED, "data/__new__/$x.fa: there is no such file")
        (told,) = opened(job=job.id).error
        assert told.value == r"data/\_\_new\_\_/\$x.fa\: there is no such file"

    def test_done_shows_figures_with_intervals_and_leads_on(self, lab):
        job = lab.done("good")
        page = opened(job=job.id)
        shown = words(page)
        assert "**Bits per base: 1.903 (95 % 1.899 to 1.907)**, measured on held-out text of the genomes" in shown
        figures = page.dataframe[0].value
        assert figures[["Figure", "Low (95 %)", "n"]].iloc[0].tolist() == ["Bits per base", 1.899, 60_000]
        links = {one.proto.label: one.proto for one in page.get("page_link")}
        onward = [link for label, link in links.items() if label.startswith("Model ")]
        assert [link.page for link in onward] == ["models"]
        assert onward[0].query_string.startswith("model=")
        assert CLOCKS == []

    def test_unknown_and_other_people_s_private_jobs_are_the_same_to_a_person(self, lab, monkeypatch):
        private, shared = lab.done("secret"), lab.done("open", shared=True)
        ann = add_user(local_user(), "ann", "Ann")
        monkeypatch.setattr(person, "acting_user", lambda: ann)
        for job_id in ("nonsense", private.id):
            page = opened(job=job_id)
            assert page.warning[0].value == (
                f"The address asks for the job {job_id}, which is not here, or is not shared with you."
            )
            assert "secret" not in words(page)
        page = opened(job=shared.id)
        assert page.title[0].value == "What came of open?"
        # What she may not do is not offered; a clone would be hers.
        assert labels(page) == ["Clone with changes"]

    def test_rename_and_share(self, lab):
        job = lab.done("old")
        page = opened(job=job.id)
        page.text_input(key="job_name").set_value("new <b>name</b>")
        page.button(key="job_rename").click()
        again(page)
        assert page.title[0].value == "What came of new <b>name</b>?"
        page.button(key="job_share").click()
        again(page)
        assert lab.again(job).shared
        assert "Make private" in labels(page)

    def test_a_refusal_is_said_and_nothing_breaks(self, lab):
        job = lab.ended("stopped", JobState.CANCELLED, "cancelled")
        page = opened(job=job.id)
        jobs.resume(lab.user, job.id)  # in another browser, meanwhile
        lab.claim(job)
        page.button(key="job_resume").click()
        page.run()
        assert not page.exception

    def test_the_link_to_the_download(self, lab):
        job = lab.done("good")
        (button,) = opened(job=job.id).get("link_button")
        assert button.proto.url == f"/runs/{job.id}.zip"


class TestCloning:
    def test_the_form_is_made_when_it_is_wanted_and_the_changed_field_makes_a_new_job(self, lab):
        job = lab.done("first", lanes=8)
        page = opened(job=job.id)
        assert "Queue the clone" not in labels(page)
        page.button(key="job_cloning").click()
        again(page)
        assert parameter(page, "clone") == "1"
        assert "Nothing is changed yet." in words(page)
        (seed,) = [one for one in page.number_input if one.key.endswith("seed")]
        seed.set_value(7)
        again(page)
        assert "Changed: `seed`." in words(page)
        page.button(key="job_clone").click()
        again(page)
        assert parameter(page, "job") != job.id
        assert "clone" not in page.query_params
        made = jobs.find(lab.user, parameter(page, "job"))
        assert made.config == {**job.config, "seed": 7}
        assert made.state is JobState.QUEUED
        assert page.title[0].value == "How is first doing?"

    @pytest.mark.parametrize("phase", ["finetune", "train"])
    def test_every_phase_has_its_form_and_starts_unchanged(self, lab, phase, tmp_path):
        model = str(language_model_bundle(tmp_path / "toy-lm").folder)
        dataset = str(toy_dataset(tmp_path / "boxes").folder)
        kind = {"finetune": FinetuneConfig, "train": TrainConfig}[phase]
        job = jobs.submit(lab.user, kind(model=model, dataset=dataset, name="taught"))
        page = opened(job=job.id, clone="1")
        assert not page.error
        assert "Nothing is changed yet." in words(page)
        page.button(key="job_clone").click()
        again(page)
        assert jobs.find(lab.user, parameter(page, "job")).config == job.config


class TestComparing:
    def test_runs_in_the_address_are_drawn_together(self, lab):
        one, two = lab.done("one"), lab.ended("two", JobState.FAILED, FULL)
        page = opened(job=one.id, compare=f"{two.id},gone", smooth="0.5")
        assert {"one: training text", "two: training text", "two: held-out text"} <= traces(page).keys()
        assert page.slider(key="job_smooth").value == 0.5
        assert page.multiselect(key="job_compare").value == [two.id]
        assert "The job gone, to compare with, is not here" in page.warning[0].value
        assert CLOCKS == []

    def test_ticking_and_smoothing_write_the_address(self, lab):
        one, two = lab.done("one"), lab.done("two")
        page = opened(job=one.id)
        page.multiselect(key="job_compare").set_value([two.id])
        page.slider(key="job_smooth").set_value(0.0)
        again(page)
        assert parameter(page, "compare") == two.id
        assert parameter(page, "smooth") == "0.00"
        assert "two: training text" in traces(page)
        page.multiselect(key="job_compare").set_value([])
        again(page)
        assert "compare" not in page.query_params

    def test_the_clock_runs_while_a_compared_run_does(self, lab):
        done = lab.done("done")
        running = lab.running("runs")
        opened(job=done.id)
        assert CLOCKS == []
        opened(job=done.id, compare=running.id)
        assert CLOCKS == [2.0]
        finish_run(running)
        queue.finish(running.id, lab.worker, JobState.SUCCEEDED, "", 0)
        opened(job=done.id, compare=running.id)
        assert CLOCKS == []


def parameter(page, name):
    value = page.query_params[name]
    return value[0] if isinstance(value, list) else value


def traces(page):
    """The values of each named line that is drawn in full strength."""
    (chart,) = page.get("plotly_chart")
    found = {}
    for trace in json.loads(chart.proto.spec)["data"]:
        if trace.get("opacity", 1) == 1 and trace["name"] != "learning rate":
            y = trace["y"]
            found[trace["name"]] = decoded(y) if isinstance(y, dict) else y
    return found


def decoded(packed):
    import base64

    import numpy as np

    return np.frombuffer(base64.b64decode(packed["bdata"]), dtype=packed["dtype"])


# Room on the disk


def test_an_ended_job_is_deleted_after_being_asked_and_the_list_is_shown(lab):
    job = lab.ended("mine", JobState.FAILED, FULL)
    page = opened(job=job.id)
    assert "Delete this job with its run folder" in words(page)
    page.button(key="job_delete").click().run()
    assert page.query_params == {}
    assert not job.run.exists()
    assert page.success[0].value == "mine was deleted."
    assert "No job yet" in words(page)
    running = lab.running("other")
    assert not [button for button in opened(job=running.id).button if button.key == "job_delete"]


@pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.CANCELLED])
def test_a_job_whose_folder_was_deleted_by_hand_says_so_and_offers_what_is_left(lab, state):
    job = lab.done("mine") if state is JobState.SUCCEEDED else lab.ended("mine", state, "cancelled")
    shutil.rmtree(job.run)
    page = opened(job=job.id)
    (warning,) = page.warning
    assert "was deleted outside the dashboard" in warning.value
    assert not page.error
    assert "Resume" not in labels(page)
    assert "Clone with changes" in labels(page)
    assert opened().dataframe[-1].value["Remark"].to_list() == ["its run folder was deleted outside the dashboard"]
    page.button(key="job_delete").click().run()
    assert page.success[0].value == "mine was deleted."


def test_the_page_says_what_a_persons_things_take_and_when_it_is_too_much(lab, monkeypatch):
    job = lab.done("mine")
    (job.run / "much").write_bytes(bytes(2_000_000))
    said = words(opened())
    assert "Your runs, models, sets and uploads take 2" in said
    assert "that a person may have" not in said
    monkeypatch.setenv("DNALM_QUOTA_GB", "0.001")
    settings.cache_clear()
    st.cache_data.clear()
    page = opened()
    assert "of the 1.0 MB that a person may have" in page.warning[-1].value
    assert "Nothing can be launched until you delete something" in page.warning[-1].value


# Slurm


class StandInSlurm:
    """What answers for Slurm; `said` is its answer, None where it gives none."""

    def __init__(self, said: str | None) -> None:
        self.said = said
        self.asked: list[str] = []

    def standing(self, handle: str) -> str:
        self.asked.append(handle)
        if self.said is None:
            raise BackendAwayError("Slurm does not answer")
        return self.said


@pytest.fixture
def slurm(lab, monkeypatch):
    lab.backend = "slurm"
    answering = StandInSlurm("PENDING (Resources)")
    monkeypatch.setattr(jobs_one, "engine", engine.Engine(lambda name: answering))
    monkeypatch.setattr(engine, "FRESH_S", 0.0)
    monkeypatch.setattr(engine, "PATIENCE_S", 30.0)
    return answering


def test_why_slurm_lets_a_job_wait_is_said_in_words(lab, slurm, monkeypatch):
    job = lab.queued("mine")
    lab.claim(job)
    page = opened(job=job.id)
    assert page.info[0].value == (
        "It waits in Slurm's own queue: no machine has enough GPUs or cores free (Slurm: Resources)."
    )
    assert "reading its data" not in words(page)
    assert set(slurm.asked) == {"toy"}
    # It runs, and Slurm's word for that says nothing that the bar does not.
    slurm.said = "RUNNING"
    monkeypatch.setattr(jobs_one, "engine", engine.Engine(lambda name: slurm))
    write_progress(job, 300)
    page = again(page)
    assert not page.info
    assert "step 300 of 750 (40%)" in words(page)


def test_where_slurm_does_not_answer_the_page_says_so_and_stands(lab, slurm):
    slurm.said = None
    job = lab.running("mine")
    page = opened(job=job.id)
    assert page.info[0].value == engine.AWAY
    assert "step 300 of 750 (40%)" in words(page)


def test_a_slow_slurm_holds_no_page_up(lab, slurm, monkeypatch):
    answer = threading.Event()
    slow = engine.Engine(lambda name: slurm)
    monkeypatch.setattr(slurm, "standing", lambda handle: answer.wait(30) and "PENDING (Priority)")
    monkeypatch.setattr(engine, "PATIENCE_S", 0.01)
    job = lab.running("mine")
    assert slow.standing(job) == ""
    answer.set()
    monkeypatch.setattr(engine, "PATIENCE_S", 30.0)
    assert slow.standing(job) == "It waits in Slurm's own queue: other jobs are before it (Slurm: Priority)."


def test_nobody_is_asked_of_a_job_of_this_machine(lab, monkeypatch):
    asked = engine.Engine(lambda name: pytest.fail("asked"))
    assert asked.standing(lab.running("mine")) == ""


def test_a_priority_out_of_bounds_is_answered_with_the_bounds(lab):
    job = lab.queued("mine")
    page = opened(job=job.id)
    priority = page.number_input(key="job_priority")
    assert priority.label == "Priority (-100 to 100)"
    # With bounds, a browser would show what was typed and send what was there before.
    assert (priority.min, priority.max) == (None, None)
    priority.set_value(500)
    page.button(key="job_prioritise").click().run()
    assert page.error[0].value == "priority 500: wanted -100 to 100"
    assert jobs.find(local_user(), job.id).priority == 0
    page.number_input(key="job_priority").set_value(-100)
    page.button(key="job_prioritise").click().run()
    assert jobs.find(local_user(), job.id).priority == -100


# Runs that no job made


def test_a_run_made_at_the_shell_is_described_shared_and_deleted_after_being_asked(home, monkeypatch):
    folder = finished_run(home, "pretrain-1", name="shell-lm")
    page = opened()
    assert "Runs made at the shell" in [one.value for one in page.header]
    (listed,) = page.dataframe[-1].value.to_dict("records")
    told = ("pretrain-1", "done", "Pre-training", "yours", "shell-lm")
    assert (listed["Run"], listed["State"], listed["Kind"], listed["Whose"], listed["What it is"]) == told
    page = opened(run="pretrain-1")
    entry = runs.run(local_user(), "pretrain-1")
    page.text_input(key=f"jobs_run_description_{entry.id}").set_value("Half the data")
    next(button for button in page.button if button.label == "Save").click().run()
    assert page.success[0].value == "Saved."
    page.button(key="jobs_run_share").click().run()
    found = runs.run(local_user(), "pretrain-1")
    assert (found.description, found.shared) == ("Half the data", True)
    page.button(key="jobs_run_delete").click().run()
    assert "The models that came of it stay" in page.warning[-1].value
    page.button(key="jobs_run_delete_yes").click().run()
    assert page.success[0].value == "pretrain-1 was deleted."
    assert not folder.exists()
    assert [one.name for one in index.models(local_user()) if not one.shipped] == ["shell-lm"]
    assert "Runs made at the shell" not in [one.value for one in page.header]
    assert "which is not here" in opened(run="pretrain-1").warning[-1].value


def test_a_colleagues_private_run_is_not_there(home, monkeypatch):
    finished_run(home, "pretrain-1")
    anna = add_user(local_user(), "anna", "Anna")
    monkeypatch.setattr(person, "local_user", lambda: anna)
    page = opened(run="pretrain-1")
    assert "which is not here" in page.warning[-1].value
    assert "Runs made at the shell" not in [one.value for one in page.header]
