"""A scan as a job, from the button that queues it to the page that shows what came of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import toy_house
from streamlit.testing.v1 import AppTest
from toy_jobs import ToyJobs

from dashboard import queue_reading, run_reading
from dashboard.downloads import run_files
from dashboard.views import jobs_scan
from dashboard.views import jobs_words as words
from dnalm.evaluation.scan_run import run_scan
from dnalm.lab import jobs, queue
from dnalm.lab.jobs import Job, JobState
from dnalm.lab.people import add_user, local_user
from dnalm.settings import settings
from dnalm.training.config import ScanConfig
from dnalm.training.run import RunFolder

MAIN = Path(__file__).resolve().parents[2] / "dashboard" / "main.py"
REGION = f"{toy_house.RECORD}:1001-12000"


@pytest.fixture
def lab(house, tmp_path, monkeypatch):
    """The small installation with a worker that is this process."""
    run_reading.reader.clear()
    queue_reading.reader.forget()
    monkeypatch.setattr(queue_reading, "FRESH_S", 0.0)
    return ToyJobs(tmp_path / "home")


def config(**changes) -> ScanConfig:
    fields = {"model": toy_house.MODEL, "sequence": "toy", "region": REGION, "name": "my-scan", **changes}
    return ScanConfig(**fields)


def done(lab: ToyJobs, told: ScanConfig) -> Job:
    job = jobs.submit(local_user(), told)
    lab.claim(job)
    run_scan(told, job.run)
    queue.finish(job.id, lab.worker, JobState.SUCCEEDED, "", 0)
    return lab.again(job)


def opened(**query):
    page = AppTest.from_file(str(MAIN), default_timeout=60)
    page.switch_page("views/jobs.py")
    for key, value in query.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception, page.exception
    return page


def said(page) -> str:
    shown = [*page.markdown, *page.caption, *page.info, *page.error, *page.success]
    return "\n".join(str(one.value) for one in shown)


def links(page) -> dict[str, str]:
    """Links to pages: label to the query string."""
    found = page.get("page_link")
    return {one.proto.label: one.proto.query_string for one in found}


def queueing() -> None:
    """A page of the button alone."""
    import streamlit as st

    from dashboard import resources
    from dashboard.person import acting_user
    from dashboard.views.scan_job import queue_scan
    from dnalm.model.bundle import find_bundle, read_bundle
    from dnalm.sequences import Region

    region = Region.parse("NC_TOY.1:1001-12000")
    bundle = read_bundle(find_bundle("toy-sigma70-81"))
    queue_scan(
        acting_user(), bundle, resources.sequences()[0].path, region, stride=st.session_state.get("n", 1), seconds=720
    )


def test_the_button_queues_the_scan_once_and_then_leads_to_its_job(lab):
    page = AppTest.from_function(queueing, default_timeout=60).run()
    button = page.button(key="scan_queue")
    assert button.label == "Queue this scan (about 12 min)"
    button.click().run()
    assert not page.exception
    (job,) = jobs.visible(local_user())
    assert (job.phase, job.config["region"], job.config["model"]) == ("scan", REGION, toy_house.MODEL)
    assert job.name == f"scan-{toy_house.MODEL}-{toy_house.RECORD}-1001-12000"
    assert "This scan is a job already" in said(page)
    assert not page.button
    again = AppTest.from_function(queueing, default_timeout=60).run()  # a reload, or a colleague's link
    assert not again.button
    page.session_state["n"] = 5  # another scan
    page.run()
    assert page.button(key="scan_queue").label.startswith("Queue this scan")
    jobs.cancel(local_user(), job.id)
    again.run()
    assert again.button(key="scan_queue").label.startswith("Queue this scan")


def test_a_scan_that_is_done_can_be_queued_again(lab):
    from dashboard import resources

    done(lab, config(sequence=str(resources.sequences()[0].path)))
    page = AppTest.from_function(queueing, default_timeout=60).run()
    assert page.button(key="scan_queue").label.startswith("Queue it again")


def test_what_cannot_be_queued_is_said_beside_the_button(lab, monkeypatch):
    done(lab, config())
    monkeypatch.setenv("DNALM_QUOTA_GB", "0.000000001")
    settings.cache_clear()
    page = AppTest.from_function(queueing, default_timeout=60).run()
    page.button(key="scan_queue").click().run()
    assert not page.exception
    assert "may have" in page.error[0].value
    assert len(jobs.visible(local_user())) == 1


def test_while_it_runs_the_page_says_how_far_it_is_and_draws_no_curves(lab):
    job = jobs.submit(local_user(), config())
    lab.claim(job)
    RunFolder(job.run).progress(
        state="running", phase="scanning", step=4_000, total=10_000, rate=50.0, unit="sites/s", eta_s=120
    )
    page = opened(job=job.id)
    bar = page.get("progress")[0].proto.text
    assert bar == "Scanning: site 4,000 of 10,000 (40%), 50 sites/s, about 2 min left."
    assert "Learning curves" not in [one.value for one in page.header]
    stopped = {"phase": "writing", "step": 10_000, "total": 10_000, "state": "running"}
    assert words.standing(lab.again(job), stopped) == "Writing its files: site 10,000 of 10,000 (100%)."


def test_what_came_of_it_its_files_and_the_way_to_the_picture(lab, house):
    told = config(truth=str(house / "data" / "demo" / "sigma70_tss.tsv"), formats=["bigwig", "tsv"])
    job = done(lab, told)
    page = opened(job=job.id)
    text = said(page)
    assert "**3 peaks** at or over 0.70 among 11,000 sites: every base of both strands" in text
    assert "**3 of 3** known starts have a peak within 10 bases" in text
    assert [one.label for one in page.metric] == ["Recall", "Precision", "False calls per kb", "AUPRC, all thresholds"]
    assert page.metric[0].value == "1.00"
    assert "Of 3 known starts, everywhere that was scanned" in text
    query = links(page)["See it along the sequence"]
    assert "model=toy-sigma70-81" in query
    assert "region=NC_TOY.1" in query
    assert "sequence=toy" in query
    labels = [one.proto.label for one in page.get("download_button")]
    assert any(label.startswith("Peaks (BED), ") for label in labels)
    assert any(label.startswith("Forward strand (bigWig), ") for label in labels)
    assert any(label.startswith("Track (TSV), ") for label in labels)


def test_a_large_file_comes_with_the_run_and_one_that_is_gone_is_not_offered(lab, monkeypatch):
    job = done(lab, config(formats=["tsv"]))
    monkeypatch.setattr(jobs_scan, "LARGEST_FILE", 1_000)
    (job.run / "peaks.bed").unlink()
    page = opened(job=job.id)
    assert not page.get("download_button")
    assert "Track \\(TSV\\)" in said(page)


def test_whoever_may_not_see_the_sequence_has_no_link_to_it(lab, tmp_path):
    own = tmp_path / "own.fna"
    own.write_text(f">own\n{'ACGT' * 60}\n>other\n{'ACCGT' * 50}\n")
    job = done(lab, config(sequence=str(own), region="", formats=["tsv"]))
    page = opened(job=job.id)
    assert "is not among those that the page Long sequences offers" in said(page)
    assert not any("See" in label for label in links(page))
    assert len(page.dataframe[0].value) == 2  # its two records


def test_the_clone_is_a_form_of_its_fields_and_the_list_finds_it_by_its_sequence(lab):
    job = done(lab, config(region="", stride=50))
    page = opened(job=job.id, clone="1")
    form = f"clone_{job.id}"
    page.number_input(key=f"{form}:stride").set_value(100).run()
    page.button(key="job_clone").click().run()
    assert not page.exception
    newest = jobs.visible(local_user())[0]
    assert (newest.phase, newest.config["stride"]) == ("scan", 100)
    assert job.name in str(opened(q="toy").dataframe[-1].value)


def test_a_colleague_does_not_take_a_private_scan_for_their_own(lab):
    jobs.submit(local_user(), config())
    ben = add_user(local_user(), "ben", "Ben")
    assert jobs.visible(ben) == []


def test_the_pieces_of_a_scan_that_goes_on_are_no_part_of_its_download(lab):
    job = jobs.submit(local_user(), config())
    (job.run / "scan" / "0123").mkdir(parents=True)
    (job.run / "scan" / "0123" / "000000.npy").write_bytes(b"scores")
    assert [path.name for path in run_files(job.run)] == ["config.yaml", "lab.json"]
    assert "000000.npy" in [path.name for path in run_files(job.run, checkpoint=True)]
