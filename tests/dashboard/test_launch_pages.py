"""Pre-train and Fine-tune: what they show at first, from an address, when something cannot be; and one job a launch."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import estimates
from dnalm.lab import jobs
from dnalm.lab.database import database
from dnalm.lab.people import local_user
from dnalm.settings import settings
from dnalm.training import estimate as estimating
from dnalm.training.machine import GIB, Machine
from dnalm.training.timing import Timing

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "unit"))
from toy_models import language_model_bundle, toy_dataset  # noqa: E402

PAGES = {"pre-train": "views/pre_train.py", "fine-tune": "views/fine_tune.py"}
SET = "boxes"


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """The shipped installation with an empty home; a step takes 50 ms, which nobody has to wait for."""
    monkeypatch.setenv("DNALM_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DNALM_DATA_MIRROR", raising=False)
    settings.cache_clear()
    database.cache_clear()
    st.cache_resource.clear()
    monkeypatch.setattr(estimating, "timing", lambda work, measure=True: Timing(step=0.05, forward=0.01, gigaflops=50))
    yield tmp_path / "home"
    database().dispose()
    database.cache_clear()
    settings.cache_clear()


@pytest.fixture
def lab(bare):
    """The same with a small labelled set and a small language model."""
    toy_dataset(bare / "datasets" / SET)
    language_model_bundle(bare / "models" / "toy-lm")
    return bare


def opened(name, **query):
    page = AppTest.from_file(str(ROOT / "dashboard" / PAGES[name]), default_timeout=60)
    for key, value in query.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception, page.exception[0].message
    return page


def figures(page):
    return {metric.label: metric.value for metric in page.metric}


def button(page):
    (found,) = [one for one in page.button if one.label == "Launch"]
    return found


def launched(page):
    button(page).click().run()
    assert not page.exception, page.exception[0].message
    return jobs.visible(local_user())


class TestPreTrain:
    def test_what_it_takes_stands_there_before_anything_is_chosen(self, bare):
        page = opened("pre-train")
        assert page.title[0].value.endswith("?")
        assert not [*page.error, *page.warning]
        shown = figures(page)
        assert shown["Parameters"] == "362,688"
        assert shown["Time"] == "about 20 min"
        assert page.code[0].value == "dnalm pretrain ecoli-k12 --minutes 20"
        words = "\n".join(one.value for one in page.markdown)
        assert "words of 4 bases (k-mers), a new one every 3 bases: 256 different words" in words

    def test_an_address_fills_the_form(self, bare):
        page = opened("pre-train", genomes=["hpylori", "ecoli-k12"], preset="seed", epochs="0.5", lanes="16")
        assert page.multiselect(key="pretrain:genomes").value == ["hpylori", "ecoli-k12"]
        assert page.selectbox(key="pretrain:preset").value == "seed"
        assert page.radio(key="pretrain:budget").value == "epochs"
        assert page.number_input(key="pretrain:epochs").value == 0.5
        assert page.number_input(key="pretrain:lanes").value == 16
        assert figures(page)["Parameters"] == "20,623,026"
        assert "hpylori is not on this machine yet" in "\n".join(one.value for one in page.info)
        assert page.code[0].value == "dnalm pretrain hpylori ecoli-k12 --preset seed --epochs 0.5 --set lanes=16"

    def test_choices_go_into_the_address(self, bare):
        page = opened("pre-train")
        page.selectbox(key="pretrain:preset").set_value("seed").run()
        page.number_input(key="pretrain:minutes").set_value(120.0).run()
        assert page.query_params["preset"] == "seed"
        assert page.query_params["minutes"] == "120"
        page.radio(key="pretrain:budget").set_value("steps").run()
        assert "minutes" not in page.query_params
        assert page.number_input(key="pretrain:steps").value == 10_000

    def test_k_and_stride_make_another_vocabulary(self, bare):
        page = opened("pre-train", **{"encoder.k": "3"})
        page.number_input(key="pretrain:encoder.stride").set_value(2).run()
        words = "\n".join(one.value for one in page.markdown)
        assert "words of 3 bases (k-mers), a new one every 2 bases: 64 different words" in words
        # 66 vectors of 64, the four gates, and 16 continuations.
        assert figures(page)["Parameters"] == f"{66 * 64 + 4 * 256 * (64 + 256 + 2) + 257 * 16:,}"
        (job,) = launched(page)
        encoder = job.config["encoder"]
        assert (encoder["k"], encoder["stride"], encoder["hidden"], encoder["weight_dropout"]) == (3, 2, 256, 0)

    @pytest.mark.parametrize(
        ("query", "sentence"),
        [
            ({"genomes": "gone"}, "asks for the genome gone, which is not here"),
            ({"preset": "huge"}, "preset=huge cannot be: input should be 'small' or 'seed'"),
            ({"minutes": "-1"}, "Budget (minutes) stands as it was; minutes=-1 cannot be: input should be"),
            ({"minutes": "5", "epochs": "1"}, "gives the budget twice, as minutes and epochs; minutes is taken"),
        ],
    )
    def test_an_address_that_cannot_be_gets_a_sentence(self, bare, query, sentence):
        assert sentence in opened("pre-train", **query).warning[0].value

    def test_without_a_genome_it_says_so_at_the_field_and_launches_nothing(self, bare):
        page = opened("pre-train")
        page.multiselect(key="pretrain:genomes").set_value([]).run()
        assert page.error[0].value == "field genomes: nothing is given, and it cannot be left empty"
        assert button(page).disabled
        page.multiselect(key="pretrain:genomes").set_value(["ecoli-k12"]).run()
        assert not page.error
        assert not button(page).disabled

    def test_what_cannot_fit_is_refused_with_the_reason(self, bare, monkeypatch):
        small = Machine(memory=GIB, disk_free=100 * GIB, cores=2, gpus=())
        monkeypatch.setattr(estimating, "this_machine", lambda folder: small)
        page = opened("pre-train", preset="seed")
        assert "This cannot run here: it needs about 1.3 GiB of memory; this machine has 1.0 GiB" in page.error[0].value
        assert button(page).disabled

    def test_an_own_sequence_can_be_learnt_from(self, bare):
        from dashboard import uploads

        kept = uploads.keep(local_user(), b">mine\n" + b"ACGGTTCAGTCA" * 2000 + b"\n", "mine.fa")
        page = opened("pre-train", genomes=kept.key)
        (job,) = launched(page)
        assert job.config["genomes"] == [str(kept.path)]
        # And is offered from then on, also when the upload has another name by then.
        assert str(kept.path) in {one for job in jobs.visible(local_user()) for one in job.config["genomes"]}

    def test_a_launch_is_one_job_with_what_the_form_says(self, bare):
        page = opened("pre-train", minutes="7")
        page.text_input(key="pretrain:name").set_value("my-lm")
        page.number_input(key="pretrain:limit").set_value(30.0)
        page.checkbox(key="pretrain:share").check()
        (job,) = launched(page)
        assert (job.name, job.phase, job.state, job.limit_minutes, job.shared) == (
            "my-lm",
            "pretrain",
            "queued",
            30,
            True,
        )
        assert job.config["minutes"] == 7
        assert (job.run / "config.yaml").is_file()
        assert "my-lm is queued, next in the queue" in page.success[0].value
        assert "No worker is running" in page.warning[0].value
        assert button(page).disabled
        # Again only when that is asked for.
        page.button(key="pretrain:again").click().run()
        assert len(launched(page)) == 2

    def test_a_number_that_cannot_be_reaches_the_server_which_says_so(self, bare):
        page = opened("pre-train")
        budget = page.number_input(key="pretrain:minutes")
        # With bounds, a browser shows what was typed and sends what was there before.
        assert (budget.min, budget.max) == (None, None)
        budget.set_value(-5.0).run()
        assert page.warning[0].value.startswith("Budget (minutes) stands as it was; minutes=-5 cannot be: ")
        assert page.number_input(key="pretrain:minutes").value == 20
        page.number_input(key="pretrain:limit").set_value(-3.0)
        assert launched(page) == []
        assert "cannot be stopped after -3 minutes" in page.error[0].value

    def test_a_name_that_cannot_be_is_refused_in_the_shells_words(self, bare):
        page = opened("pre-train")
        for name in ("two words", "-x", "../x"):
            page.text_input(key="pretrain:name").set_value(name)
            assert launched(page) == []
            assert page.error[0].value.startswith("field name: a name begins with a letter or digit")

    def test_a_name_that_a_model_has_is_said_to_get_a_number(self, lab):
        page = opened("pre-train", genomes="ecoli-k12")
        page.text_input(key="pretrain:name").set_value("toy-lm")
        (job,) = launched(page)
        assert job.name == "toy-lm"
        assert page.info[-1].value.startswith("toy-lm is the name of another model")


def test_pressing_launch_twice_at_once_makes_one_job():
    from dashboard.launching import Launches

    launches, made, together = Launches(), [], threading.Barrier(8)

    def press():
        together.wait()
        launches.once("one intention", lambda: made.append(1) or len(made))

    threads = [threading.Thread(target=press) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]
    assert launches.once("another", lambda: 2) == 2


class TestFineTune:
    def test_the_schedule_and_the_estimate_of_each_way(self, lab):
        steps = {}
        for phases in ("tune-and-classify", "classify", "tune", "all"):
            page = opened("fine-tune", model="toy-lm", dataset=SET, phases=phases, head="aligned")
            assert not [*page.error, *page.warning], phases
            assert page.radio(key="finetune:phases").value == phases
            steps[phases] = next(one.value for one in page.caption if " steps of " in one.value)
            assert len(page.get("plotly_chart")) == 1
        assert "Fine-tune the language model: 6 steps" in steps["tune-and-classify"]
        assert "Train the classifier: at most" in steps["tune-and-classify"]
        assert "Fine-tune" not in steps["classify"]
        assert steps["tune"].startswith("Fine-tune the language model: 6 steps of 50 ms.")
        assert "Pre-train the language model: 24,000 steps" in steps["all"]

    def test_a_head_that_is_solved_for_at_once_is_asked_for_no_passes(self, lab):
        page = opened("fine-tune", model="toy-lm", dataset=SET)
        stages = ("Each thawing stage (passes)", "All layers together (passes)")
        assert all(name in [one.label for one in page.number_input] for name in stages)
        (head,) = [one for one in page.selectbox if one.label == "Head"]
        assert "wide (quick to fit)" in head.options
        head.select("wide").run()
        assert not page.exception
        assert page.query_params["head"] == "wide"
        assert not [one for one in page.number_input if one.label in stages]
        assert "it has no schedule" in page.caption[-1].value
        (job,) = launched(page)
        assert (job.config["head"], job.config["finetune_epochs"]) == ("wide", 3)

    def test_a_deep_link_takes_its_model_and_set(self, lab):
        page = opened("fine-tune", model="toy-lm", dataset=SET, finetune_epochs="5")
        assert page.selectbox(key="finetune:tune-and-classify:model").value == "toy-lm"
        assert page.selectbox(key="finetune:tune-and-classify:dataset").value == SET
        assert page.code[0].value == f"dnalm train --dataset {SET} --model toy-lm --finetune-epochs 5"
        page.radio(key="finetune:phases").set_value("tune").run()
        assert page.query_params["phases"] == "tune"
        assert page.selectbox(key="finetune:tune:model").value == "toy-lm"

    @pytest.mark.parametrize("phases", ["tune", "classify", "all"])
    def test_each_way_becomes_the_job_that_it_says(self, lab, phases):
        page = opened("fine-tune", model="toy-lm", dataset=SET, phases=phases, seed="3")
        (job,) = launched(page)
        assert job.phase == {"tune": "finetune"}.get(phases, "train")
        assert (job.config["dataset"], job.config["seed"]) == (SET, 3)
        if phases == "all":
            assert job.config["model"] is None
            assert job.config["pretrain"]["genomes"] == ["ecoli-k12"]
            assert job.config["pretrain"]["seed"] == 3
            assert job.config["finetune_epochs"] == 3
        else:
            assert job.config["model"] == "toy-lm"

    def test_a_set_that_is_not_made_yet_is_launched_but_not_estimated(self, lab):
        page = opened("fine-tune", dataset="ecoli-sigma70-81")
        assert "ecoli-sigma70-81 is made when the job starts" in page.info[0].value
        assert not page.metric
        assert len(launched(page)) == 1

    def test_what_is_not_here_is_said(self, lab):
        page = opened("fine-tune", model="gone", dataset="lost")
        said = [one.value for one in page.warning]
        assert "The address asks for the language model gone, which is not here." in said
        assert "The address asks for the labelled set lost, which is not here." in said

    def test_without_a_language_model_it_says_what_to_do(self, bare, tmp_path, monkeypatch):
        shipped = tmp_path / "shipped"
        (shipped / "models").mkdir(parents=True)
        (shipped / "data").symlink_to(ROOT / "data")
        monkeypatch.setenv("DNALM_SHIPPED", str(shipped))
        settings.cache_clear()
        page = opened("fine-tune")
        assert "No language model is here yet" in page.info[0].value
        assert "dnalm pretrain ecoli-k12 --minutes 20" in page.code[0].value
        page.radio(key="finetune:phases").set_value("all").run()
        assert page.info[0].value.startswith("ecoli-sigma70-81 is made")


def test_less_than_one_pass_over_the_text_is_said_as_a_share_of_it():
    assert estimates.read_text(12.34) == "12.3 passes over the text"
    assert estimates.read_text(0.048) == "4.80% of the text"
