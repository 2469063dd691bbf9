"""The page Data in each of its states: overview, catalogue, fetching, uploads good and bad, making, a set's audit."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from toy_queue import enqueue

from dashboard import background, labelled_uploads, sets, uploads
from dashboard.background import TaskState
from dashboard.charts.audit import LABELS, leak_figure, parts_figure, short, spread_figure
from dashboard.charts.theme import LIGHT
from dashboard.person import acting_user
from dashboard.views.data_audit import alone_rules, leak_words, near_copy
from dnalm.alphabet import decode
from dnalm.datasets import Dataset, catalog
from dnalm.datasets.files import make_from_files
from dnalm.datasets.profile import Histogram
from dnalm.errors import InputError
from dnalm.lab import index, jobs
from dnalm.lab import uploads as lab_uploads
from dnalm.lab.database import database
from dnalm.lab.people import add_user
from dnalm.lab.schema import JobRow
from dnalm.settings import PACKAGE_ROOT, settings

MAIN = Path(__file__).resolve().parents[2] / "dashboard" / "main.py"
SET = "lab-set"


@pytest.fixture
def lab(tmp_path, monkeypatch, home):
    """The real catalogue, an empty home and no mirror: nothing of the public files is here but what ships."""
    monkeypatch.setenv("DNALM_SHIPPED", str(PACKAGE_ROOT))
    monkeypatch.delenv("DNALM_DATA_MIRROR", raising=False)
    monkeypatch.delenv("DNALM_DATABASE_URL", raising=False)
    settings.cache_clear()
    database.cache_clear()
    yield home
    for task in background.under_way():
        background.cancel(task.key)
        background.wait(task.key, 30)
    background._tasks.clear()
    database().dispose()
    database.cache_clear()


def texts(n: int, length: int = 40, seed: int = 0) -> list[str]:
    generator = np.random.default_rng(seed)
    return [decode(generator.integers(0, 4, length, dtype=np.uint8)) for _ in range(n)]


def table() -> bytes:
    """Sixty sequences, the enhancers longer and richer in GC, and three rows that cannot be used."""
    rich = [text.replace("A", "G").replace("T", "C") for text in texts(30, 20, seed=2)]
    rows = [f"e{n},{more}{text},enhancer" for n, (more, text) in enumerate(zip(rich, texts(30), strict=True))]
    rows += [f"o{n},{text},other" for n, text in enumerate(texts(30, seed=1))]
    rows += ["p,MKLVVEFPQMKL,other", "m,,other", f"c,{texts(1, 40, 1)[0]},other"]
    return ("id,dna,kind\n" + "\n".join(rows)).encode()


def made(tmp_path: Path) -> Dataset:
    path = tmp_path / "table.csv"
    path.write_bytes(table())
    return make_from_files(SET, path, drop_unusable=True, drop_copies=True)


def opened(**query):
    page = AppTest.from_file(str(MAIN), default_timeout=60).run()
    page.switch_page("views/data.py")
    for key, value in query.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception, page.exception[0].message
    return page


def words(page):
    parts = [*page.title, *page.header, *page.subheader, *page.markdown, *page.text, *page.caption]
    parts += [*page.warning, *page.error, *page.info, *page.success, *page.code]
    return "\n".join(str(part.value) for part in parts)


# Overview and catalogue


def test_at_first_the_recipes_are_shown_and_it_is_said_how_to_make_a_set(lab):
    page = opened()
    assert page.title[0].value == "Which sequences will the model learn from?"
    assert "None of the sets is yours yet" in page.info[0].value
    shown = page.dataframe[0].value
    assert "ecoli-sigma70-81" in shown["Set"].tolist()
    assert set(shown["Here"]) == {"to be made"}
    assert not page.error
    assert not page.warning


def test_a_set_of_ones_own_stands_first_and_another_persons_private_one_is_not_shown(lab, tmp_path):
    made(tmp_path)
    index.add_dataset(acting_user(), settings().datasets / SET)
    shown = opened().dataframe[0].value
    assert shown.iloc[0].tolist() == [SET, "Made of someone's own files", "here", "60", "other, enhancer", "yours"]
    anna = add_user(acting_user(), "anna", "Anna")
    assert SET not in [row.name for row in sets.known_sets(anna)]
    assert sets.open_set(anna, SET) is None
    index.share_dataset(acting_user(), index.datasets(acting_user())[0].id, True)
    assert sets.open_set(anna, SET) is not None


def test_the_catalogue_says_what_each_file_is_and_whether_it_is_here(lab):
    page = opened(show="files")
    shown = page.dataframe[0].value.set_index("File")
    assert len(shown) == len(catalog.load())
    assert shown.loc["Escherichia coli K-12 MG1655, genome", "Here"] == "here"
    assert shown.loc["Vibrio cholerae H1, genome", "Here"] == "to be fetched"
    assert shown.loc["Escherichia coli K-12 MG1655, genome", "Size (MB)"] == pytest.approx(1.424935)
    entry = catalog.entry("ecoli-sigma70-promoters")
    detail = words(opened(show="files", kind="promoters", file=entry.name))
    for said in (entry.what, entry.licence, entry.citation, entry.sha256, f"dnalm data fetch {entry.name}"):
        assert said in detail
    derived = next(entry for entry in catalog.load().values() if not entry.addresses)
    page = opened(show="files", file=derived.name)
    assert "cannot be fetched" in words(page)
    assert not [button for button in page.button if button.key == "data_fetch"]


def test_an_unknown_file_in_the_address_gets_a_sentence(lab):
    page = opened(show="files", file="gone")
    assert "the catalogue has no 'gone'" in page.warning[0].value
    assert len(page.dataframe) == 1


def test_a_fetch_shows_its_progress_outlives_a_reload_and_can_be_cancelled(lab, monkeypatch):
    begun = threading.Event()

    def slow(name, progress):
        progress(300_000, 1_200_000)
        begun.set()
        while True:
            progress(300_000, 1_200_000)
            threading.Event().wait(0.01)

    monkeypatch.setattr(sets.catalog, "fetch", slow)
    page = opened(show="files", file="vibrio-cholerae-h1")
    page.button(key="data_fetch").click().run()
    assert begun.wait(30)
    # Another browser, with nothing but the address, sees the same.
    page = opened(show="files", file="vibrio-cholerae-h1")
    key = sets.FETCHING + "vibrio-cholerae-h1"
    assert "fetching Vibrio cholerae H1, genome, 0.3 of 1.2 MB" in page.get("progress")[0].proto.text
    assert not [button for button in page.button if button.key == "data_fetch"]
    page.button(key=f"data_cancel_{key}").click().run()
    assert background.wait(key, 30).state == TaskState.CANCELLED
    page = opened(show="files", file="vibrio-cholerae-h1")
    assert "cancelled" in page.info[0].value
    assert page.button(key="data_fetch").label.startswith("Fetch it (1.2 MB)")


def test_a_fetch_that_fails_says_why_and_one_that_works_leaves_the_file_here(lab, monkeypatch, mirror):
    def none(name, progress):
        raise background.RunError("no connection")

    monkeypatch.setattr(sets.catalog, "fetch", none)
    page = opened(show="files", file="bsubtilis-promoters")
    page.button(key="data_fetch").click().run()
    background.wait(sets.FETCHING + "bsubtilis-promoters", 30)
    page = opened(show="files", file="bsubtilis-promoters")
    assert page.error[0].value == "no connection"
    monkeypatch.undo()


# Uploads


def uploaded(content: bytes, name: str):
    page = opened(show="upload")
    page.file_uploader(key="data_upload").set_value((name, content, "text/csv")).run()
    assert not page.exception, page.exception[0].message
    return page


def test_without_a_file_the_page_says_what_to_bring(lab):
    page = opened(show="upload")
    assert "Upload one table" in page.info[0].value
    assert not page.error


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        (b"\x00\x01" * 100, "bad.csv", "bad.csv is binary"),
        (b"", "empty.csv", "empty.csv is empty"),
        (b">p\nMKLVVEFPQ\n", "p.fa", "p.fa, record 'p', line 2: 'L' is no nucleotide; this looks like protein"),
        (b"id,sequence,label\na,ACGTTGCAACG,x\n", "one.csv", "two classes at least are wanted"),
    ],
)
def test_a_bad_file_gets_one_sentence(lab, content, name, sentence):
    page = uploaded(content, name)
    assert sentence in page.error[0].value
    assert str(lab) not in page.error[0].value
    assert not [button for button in page.button if button.key == "data_make_own"]


def test_a_table_is_previewed_and_made_into_a_set_whose_audit_is_shown(lab):
    page = uploaded(table(), "My table.csv")
    key = page.query_params["upload"]
    # The address alone brings it all back.
    page = opened(show="upload", upload=key)
    assert [page.selectbox(key=f"data_{name}").value for name in ("sequence", "label", "id")] == ["dna", "kind", "id"]
    assert "60 of 63 sequences can be used, 40 to 60 bases: 30 enhancer, 30 other." in words(page)
    dropped = page.dataframe[0].value.set_index("Why")
    assert dropped["How many"].to_dict() == {
        "a letter that is no nucleotide": 1,
        "no sequence": 1,
        "a copy of an earlier sequence, on either strand": 1,
    }
    assert dropped.loc["no sequence", "The first"] == "My table.csv, record 'm', line 63: the sequence is missing."
    assert page.dataframe[1].value["Label"].tolist()[0] == "enhancer"
    assert page.radio(key="data_positive").value == "enhancer"
    assert page.text_input(key="data_name").value == "my-table"
    page.text_input(key="data_name").set_value(SET).run()
    page.slider(key="data_test").set_value(20.0).run()
    assert page.query_params["name"] == SET
    assert page.query_params["test"] == "20.0"
    page.button(key="data_make_own").click().run()
    assert page.query_params == {"dataset": SET}
    assert background.wait(sets.MAKING + SET, 300).state == TaskState.DONE, background.find(sets.MAKING + SET)
    page.run()
    shown = words(page)
    assert Dataset.load(SET).counts()["enhancer"] == {"train": 21, "valid": 3, "test": 6}
    assert "GC content alone tells enhancer with AUROC" in page.warning[0].value
    assert "Length alone reaches AUROC **1.000**" in shown
    assert "There are no held-out sequences that share 20 bases or more with a training sequence" in shown
    assert {metric.label: metric.value for metric in page.metric}["Bases each"] == "40 to 60"
    assert index.datasets(acting_user())[0].owner == "local"
    assert not index.datasets(acting_user())[0].shared
    page.button(key="data_share").click().run()
    assert index.datasets(acting_user())[0].shared
    # Its name is taken now.
    page = opened(show="upload", upload=key, name=SET)
    page.button(key="data_make_own").click().run()
    assert "already; choose another name" in page.error[0].value


def test_columns_and_the_positive_label_are_asked_for_where_nothing_says_them(lab):
    rows = b"".join(
        b"%s,%s,%s\n" % (a.encode(), b.encode(), (b"cat", b"dog")[n % 2])
        for n, (a, b) in enumerate(zip(texts(20), texts(20, seed=1), strict=True))
    )
    page = uploaded(b"left,right,animal\n" + rows, "pets.csv")
    assert "several columns hold sequences" in page.error[0].value
    page.selectbox(key="data_sequence").set_value("right").run()
    page.selectbox(key="data_label").set_value("animal").run()
    assert not page.error
    assert "Choose the positive label" in page.info[0].value
    page.radio(key="data_positive").set_value("dog").run()
    assert page.button(key="data_make_own").label == "Make the set of 20 sequences"
    page.text_input(key="data_name").set_value("../up").run()
    page.button(key="data_make_own").click().run()
    assert "cannot be a dataset's name" in page.error[0].value


def test_two_fasta_files_are_one_label_each_and_one_is_a_sequence_to_scan(lab):
    yes = "".join(f">s{n}\n{text}\n" for n, text in enumerate(texts(30)))
    no = "".join(f">s{n}\n{text}\n" for n, text in enumerate(texts(30, seed=1)))
    page = opened(show="upload")
    files = [("yes.fa", yes.encode(), "text/plain"), ("no.fa", no.encode(), "text/plain")]
    page.file_uploader(key="data_upload").set_value(files).run()
    assert "30 positive, 30 negative" in words(page)
    page.text_input(key="data_first").set_value("bound").run()
    page.button(key="data_make_own").click().run()
    assert background.wait(sets.MAKING + "yes", 300).state == TaskState.DONE, background.find(sets.MAKING + "yes")
    assert Dataset.load("yes").labels == ["negative", "bound"]
    page = uploaded(yes.encode(), "yes.fa")
    assert "has no labels" in page.subheader[0].value
    key = page.query_params["upload"]
    page.button(key="data_keep").click().run()
    assert page.query_params["kept"] == key
    assert "yes.fa is kept, for you alone until you share it" in page.success[0].value
    assert "upload" not in page.query_params
    with pytest.raises(InputError):  # it is on the disk once, not twice
        labelled_uploads.find(key, "local")
    assert "yes.fa" in [header.value for header in page.header]
    assert "It is yours, private." in words(page)


def test_files_that_no_set_was_made_of_are_listed_and_can_be_deleted(lab):
    mine = labelled_uploads.keep(io.BytesIO(table()), "t_1.csv", "local")
    labelled_uploads.keep(io.BytesIO(table() + b"x,ACGTACGTAC,other\n"), "theirs.csv", "anna")
    page = opened(show="upload")
    assert page.dataframe[0].value["File"].tolist() == ["t_1.csv"]
    page = opened(show="upload", upload=mine.key)
    page.button(key="data_file_delete").click().run()
    assert "Delete t" in page.warning[-1].value
    page.button(key="data_file_delete_no").click().run()
    assert labelled_uploads.listed("local") == [mine]
    page.button(key="data_file_delete").click().run()
    page.button(key="data_file_delete_yes").click().run()
    assert "was deleted" in page.toast[0].value
    assert "upload" not in page.query_params
    assert labelled_uploads.listed("local") == []
    assert len(labelled_uploads.listed("anna")) == 1


def test_who_has_used_up_their_quota_cannot_upload_more(lab, monkeypatch):
    labelled_uploads.keep(io.BytesIO(table()), "t.csv", "local")
    monkeypatch.setenv("DNALM_QUOTA_GB", "0.000001")
    settings.cache_clear()
    page = uploaded(table() + b"x,ACGTACGTAC,other\n", "more.csv")
    assert "that a person may have" in page.error[0].value
    assert len(labelled_uploads.listed("local")) == 1


def test_an_upload_that_is_gone_or_another_persons_is_not_found(lab, tmp_path):
    theirs = labelled_uploads.keep(io.BytesIO(table()), "t.csv", "anna")
    for key in (theirs.key, "upload-0123456789abcdef", "../anna", "a,b,c"):
        page = opened(show="upload", upload=key)
        assert "upload it again" in page.error[0].value or "names 3 files" in page.error[0].value


# One set


def test_a_set_that_is_not_there_gets_a_sentence_and_a_way_on(lab):
    page = opened(dataset="no<b>such")
    assert "no\\<b\\>such here, or none that is shared with you" in page.warning[0].value
    assert not page.error


def test_a_recipe_is_made_with_the_split_that_is_chosen(lab, monkeypatch, mirror):
    monkeypatch.setenv("DNALM_DATA_MIRROR", str(mirror))
    settings.cache_clear()
    page = opened(dataset="bsubtilis-promoters-81")
    assert "not been made here yet" in page.info[0].value
    assert "CC BY 4.0" in words(page)
    page.segmented_control(key="data_recipe_split").set_value("random").run()
    assert page.query_params["dataset"] == "bsubtilis-promoters-81-random"
    assert "dnalm data make bsubtilis-promoters-81 --split random" in words(page)
    page.button(key="data_make").click().run()
    task = background.wait(sets.MAKING + "bsubtilis-promoters-81-random", 300)
    assert task.state == TaskState.DONE, task.message
    shown = words(opened(dataset="bsubtilis-promoters-81-random"))
    assert "held-out sequences share 20 bases or more with a training sequence" in shown
    assert "All sequences have 81 bases" in shown
    assert index.datasets(acting_user())[0].shared


def test_making_is_shown_to_whoever_opens_the_address_and_a_failure_is_said(lab, monkeypatch):
    go = threading.Event()

    def make(task, *words):
        go.wait(30)
        raise background.RunError("the disk is full")

    monkeypatch.setattr(background, "run_dnalm", make)
    monkeypatch.setattr(sets, "_fetch", lambda task, name: None)
    page = opened(dataset="mouse-tata-251")
    page.button(key="data_make").click().run()
    page = opened(dataset="mouse-tata-251")
    assert "mouse-tata-251" in page.get("progress")[0].proto.text
    go.set()
    background.wait(sets.MAKING + "mouse-tata-251", 30)
    page = opened(dataset="mouse-tata-251")
    assert page.error[0].value == "the disk is full"
    assert page.button(key="data_make").label == "Make this set"


def test_a_damaged_set_is_named(lab, tmp_path):
    folder = made(tmp_path).folder
    opened(dataset=SET)
    dataset = Dataset.load(folder)
    dataset.table.assign(label="other").to_parquet(folder / "sequences.parquet")
    page = opened(dataset=SET)
    assert "changed or damaged" in page.error[0].value
    page.button(key="data_delete").click().run()
    page.button(key="data_delete_yes").click().run()
    assert not folder.exists()


def test_a_set_is_described_shared_and_deleted_after_being_asked(lab, tmp_path):
    made(tmp_path)
    page = opened(dataset=SET)
    entry = index.dataset(acting_user(), SET)
    page.text_input(key=f"data_description_{entry.id}").set_value("Enhancers of *our* strain")
    next(button for button in page.button if button.label == "Save").click().run()
    assert page.success[0].value == "Saved."
    assert index.dataset(acting_user(), SET).description == "Enhancers of *our* strain"
    assert "Enhancers of \\*our\\* strain" in [header.value for header in page.header]
    page.button(key="data_share").click().run()
    assert page.success[0].value == "The lab can see it now."
    assert "shared with the lab" in words(page)
    # Something depends on it: it says so, and asks nothing.
    trained(SET, acting_user().id, "train-on-it")
    page.button(key="data_delete").click().run()
    assert "while jobs that wait or run read it" in page.error[0].value
    assert "train-on-it" in page.error[0].value
    assert not [button for button in page.button if button.key == "data_delete_yes"]
    for job in jobs.visible(acting_user()):
        jobs.cancel(acting_user(), job.id)
    page.button(key="data_delete").click().run()
    assert "60 sequences" in page.warning[-1].value
    assert "cannot be brought back" in page.warning[-1].value
    page.button(key="data_delete_no").click().run()
    assert index.dataset(acting_user(), SET).shared
    page.button(key="data_delete").click().run()
    page.button(key="data_delete_yes").click().run()
    assert page.success[0].value == f"{SET} was deleted."
    assert page.query_params == {}
    assert not (settings().datasets / SET).exists()


def trained(dataset: str, owner: str, name: str) -> None:
    """A queued job that is its row alone, and reads a set."""
    enqueue(database(), name, owner)
    with database().session() as session:
        session.get_one(JobRow, name).config = {"phase": "train", "dataset": dataset}


def test_a_colleagues_shared_set_can_be_looked_at_and_not_changed(lab, tmp_path, monkeypatch):
    made(tmp_path)
    index.add_dataset(acting_user(), settings().datasets / SET, shared=True)
    anna = add_user(acting_user(), "anna", "Anna")
    monkeypatch.setattr("dashboard.person.local_user", lambda: anna)
    page = opened(dataset=SET)
    assert "only they or an admin may change it" in words(page)
    assert not [button for button in page.button if button.key in ("data_share", "data_delete")]


def test_a_number_out_of_bounds_is_answered_with_the_bounds(lab):
    page = uploaded(table(), "table.csv")
    seed = page.number_input(key="data_seed")
    assert "0 to 1,000,000" in seed.label
    # With bounds, a browser would show what was typed and send what was there before.
    assert (seed.min, seed.max) == (None, None)
    seed.set_value(5_000_000).run()
    wanted = "The seed cannot be 5000000: a whole number from 0 to 1,000,000 is wanted; 0 is taken."
    assert [one.value for one in page.warning] == [wanted]
    assert page.number_input(key="data_seed").value == 0
    page.number_input(key="data_seed").set_value(7).run()
    assert not page.warning
    assert page.query_params["seed"] == "7"
    page.query_params["test"] = "95"
    page.run()
    assert "The part for the test (%) cannot be 95: a number from 1 to 60 is wanted; 15 is taken" in words(page)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "is missing; install dnalm again, or put the file back"),
        ("entries: [", ", line 1 is damaged: it is no YAML"),
        ("", "is damaged: it has no entries"),
        ("- one", "is damaged: it has no entries"),
        ("entries: {k12: 3}", "is damaged: its entry k12 has no fields"),
        ("entries: {k12: {bytes: 3}}", "entry k12, field path: Field required"),
        (b"\xff\xfe\x00", "is damaged: it is no YAML"),
    ],
)
def test_a_catalogue_that_is_missing_or_damaged_is_one_sentence_and_the_rest_works(
    lab, tmp_path, monkeypatch, content, sentence
):
    (tmp_path / "shipped" / "data").mkdir(parents=True)
    file = tmp_path / "shipped" / "data" / "catalog.yaml"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.setenv("DNALM_SHIPPED", str(tmp_path / "shipped"))
    settings.cache_clear()
    page = opened(show="files")
    (said,) = page.error
    assert sentence in said.value
    assert str(file) in said.value
    assert "\n" not in said.value
    assert page.segmented_control(key="data_show").value == "files"
    assert not opened().error
    page = opened(dataset="ecoli-sigma70-81")
    assert sentence in page.error[0].value
    assert page.button(key="data_make").label == "Make this set"


# Sequences that were uploaded


def test_an_uploaded_sequence_is_described_shared_and_deleted_after_being_asked(lab):
    page = opened(show="upload")
    assert "No sequence without labels is kept yet" in page.info[-1].value
    user = acting_user()
    kept = uploads.keep(user, b">mine\n" + b"ACGGTTCAGTCA" * 200 + b"\n", "mine.fa")
    entry = lab_uploads.upload(user, kept.key)
    page = opened(show="upload", kept=kept.key)
    assert not page.warning
    page.text_input(key=f"data_kept_description_{entry.id}").set_value("Our *strain*")
    next(button for button in page.button if button.label == "Save").click().run()
    assert page.success[0].value == "Saved."
    page.button(key="data_kept_share").click().run()
    assert page.success[0].value == "The lab can see it now."
    (listed,) = page.dataframe[-1].value.to_dict("records")
    assert (listed["Sequence"], listed["What it holds"], listed["Whose"]) == (
        "mine.fa",
        "Our *strain*",
        "yours, shared",
    )
    # A waiting job reads it: it says so, and asks nothing.
    enqueue(database(), "reads-it", user.id)
    with database().session() as session:
        session.get_one(JobRow, "reads-it").config = {"genomes": [str(kept.path)]}
    page.button(key="data_kept_delete").click().run()
    assert page.error[0].value.endswith("while jobs that wait or run read it\\: reads-it")
    assert not [button for button in page.button if button.key == "data_kept_delete_yes"]
    jobs.cancel(user, "reads-it")
    page.button(key="data_kept_delete").click().run()
    assert "has to be uploaded again" in page.warning[-1].value
    page.button(key="data_kept_delete_no").click().run()
    assert kept.path.exists()
    page.button(key="data_kept_delete").click().run()
    page.button(key="data_kept_delete_yes").click().run()
    assert page.success[0].value == "mine.fa was deleted."
    assert not kept.path.exists()
    assert page.query_params == {"show": "upload"}
    page = opened(show="upload", kept=kept.key)
    assert "is not here any more, or is not shared with you" in page.warning[0].value


def test_a_colleagues_sequence_is_seen_once_it_is_shared_and_told_by_their_name(lab, monkeypatch):
    anna, bob = (add_user(acting_user(), name.lower(), name) for name in ("Anna", "Bob"))
    kept = uploads.keep(anna, b">mine\nACGGTTCAGTCA\n", "annas.fa")
    monkeypatch.setattr("dashboard.person.local_user", lambda: bob)
    page = opened(show="upload", kept=kept.key)
    assert "is not here any more, or is not shared with you" in page.warning[0].value
    assert "annas.fa" not in words(page)
    entry = lab_uploads.upload(anna, kept.key)
    lab_uploads.share_upload(anna, entry.id, True)
    page = opened(show="upload", kept=kept.key)
    (listed,) = page.dataframe[-1].value.to_dict("records")
    assert (listed["Sequence"], listed["Whose"]) == ("annas.fa", "Anna, shared")
    assert "This sequence is Anna's\\: only they or an admin may change it" in words(page)
    assert not [button for button in page.button if button.key in ("data_kept_share", "data_kept_delete")]


def test_the_list_of_sets_says_whose_each_is(lab, tmp_path, monkeypatch):
    made(tmp_path)
    index.add_dataset(acting_user(), settings().datasets / SET, shared=True)
    anna = add_user(acting_user(), "anna", "Anna")
    row = opened().dataframe[0].value.set_index("Set").loc[SET]
    assert row["Whose"] == "yours, shared"
    monkeypatch.setattr("dashboard.person.local_user", lambda: anna)
    page = opened()
    assert page.dataframe[0].value.set_index("Set").loc[SET]["Whose"] == "local user, shared"
    assert "None of the sets is yours yet" in page.info[0].value


# The pictures and their words


def test_the_pictures_show_the_numbers_given():
    figure = parts_figure({"<b>a": {"train": 5, "valid": 1, "test": 2}}, LIGHT)
    assert [tuple(bar.x) for bar in figure.data] == [(5,), (1,), (2,)]
    assert figure.data[0].y == ("&lt;b>a",)
    leaks = {"valid": {"shared": 0, "of": 10, "share": 0.0}, "test": {"shared": 3, "of": 12, "share": 0.25}}
    figure = leak_figure(leaks, leaks, near_copy({}), LIGHT)
    assert tuple(figure.data[0].x) == (0.0, 25.0)
    assert tuple(figure.data[0].text) == ("0 of 10", "3 of 12")
    counts = {f"l{n}": np.array([1, 3]) for n in range(9)}
    figure = spread_figure(Histogram(np.array([0.0, 0.5, 1.0]), counts), LIGHT, "GC", percent=True)
    assert len(figure.data) == len(LABELS)
    assert tuple(figure.data[0].y) == (25.0, 75.0, 75.0)
    assert len(short("x" * 99)) == 32


def test_the_words_say_what_the_numbers_mean():
    def leaks(shared, of=10):
        return {part: {"shared": shared, "of": of, "share": 0.1} for part in ("valid", "test")}

    near = near_copy({"stretch": 20})
    assert "**4 of 20** held-out sequences share 20 bases" in leak_words(leaks(2), leaks(0), near)
    assert "Dealt at random, **6 of 20**" in leak_words(leaks(0), leaks(3), near)
    assert "hardly any near-copies" in leak_words(leaks(0), leaks(0), near)
    assert "Nothing is held out" in leak_words(leaks(0, 0), leaks(0, 0), near)
    of_genes = near_copy({"grouped_by": "source record"})
    assert "There are no held-out sequences that come from the same gene" in leak_words(leaks(0), leaks(3), of_genes)
    figure = {"value": 0.9, "low": 0.8, "high": 0.95, "n": 5}
    audit = {
        "gc_alone": {"a": {"auroc": figure}, "b": {"auroc": {**figure, "low": None}}},
        "length_alone": None,
        "start_codon_rule": {"codon_hidden": False, "all": {"accuracy": figure}},
    }
    names = [rule.name for rule in alone_rules(audit)]
    assert names == ["GC alone, a against the rest", "Start codon at base 100 alone"]
