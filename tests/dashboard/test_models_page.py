"""The page Models in each state: nothing here, a family, one model, comparing, changing, taking in what is hostile."""

from __future__ import annotations

import io
import json
import re
import shutil
import stat
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import toy_house
from streamlit.testing.v1 import AppTest
from toy_family import classifier, family, finished_run, language_model

from dashboard.charts.lineage import lineage_figure
from dashboard.charts.theme import LIGHT
from dashboard.comparison import groups, measured
from dashboard.views.models_parts import card_text
from dnalm.errors import InputError
from dnalm.lab import index
from dnalm.lab.database import database
from dnalm.lab.lineage import Lineage, Node, Stage
from dnalm.lab.people import User, add_user, local_user
from dnalm.model.bundle import list_bundles, read_bundle
from dnalm.model.exchange import export_bundle

PAGE = Path(__file__).resolve().parents[2] / "dashboard" / "views" / "models.py"


@pytest.fixture(autouse=True)
def own_database(tmp_path, monkeypatch):
    monkeypatch.setenv("DNALM_DATABASE_URL", f"sqlite:///{tmp_path / 'lab.db'}")
    database.cache_clear()
    yield
    if database.cache_info().currsize:
        database().dispose()
    database.cache_clear()


@pytest.fixture
def models(house, tmp_path):
    """A family of four beside the toy that ships."""
    return family(tmp_path / "home" / "models")


def opened(**query):
    page = AppTest.from_file(str(PAGE), default_timeout=60)
    for key, value in query.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception, page.exception[0].message
    return page


def click(page, key):
    page.button(key=key).click().run()
    assert not page.exception, page.exception[0].message
    return page


def words(page):
    parts = [*page.title, *page.header, *page.subheader, *page.markdown, *page.text, *page.caption]
    parts += [*page.warning, *page.error, *page.info, *page.success, *page.code]
    return "\n".join(said(part) for part in parts)


def said(part):
    """What a person reads: Markdown's own letters are escaped in names."""
    return re.sub(r"\\([^\w\s])", r"\1", str(part.value))


def labels(page):
    return [button.label for button in page.button]


def by_name(name):
    return index.model(local_user(), name)


def test_without_a_model_it_says_what_to_do(empty_house):
    page = opened()
    assert page.title[0].value == "Which models are here, and where did they come from?"
    assert "No model is here yet" in said(page.info[0])
    assert "dnalm train --preset small" in page.code[0].value
    assert "Import" in labels(page)


def test_every_model_is_a_row_with_its_figure_size_and_whose_it_is(models):
    page = opened()
    assert not page.error
    assert not page.warning
    shown = words(page)
    for name in (*models, toy_house.MODEL):
        assert name.replace("-", "\\-") in labels(page) or name in labels(page)
    assert "5 models" in shown
    assert "Bits per base: 1.800 (95 % 1.750 to 1.850), held-out text" in shown
    assert "MCC: 0.812 (95 % 0.764 to 0.858)" in shown
    assert "comes with dnalm" in shown
    assert "yours, private" in shown
    assert [box.label for box in page.checkbox if box.label.startswith("Compare")] == [
        f"Compare {model.name}" for model in index.models(local_user())
    ]


def test_a_row_opens_its_model_and_the_way_leads_back(models):
    page = opened()
    click(page, f"models_open_{by_name('tuned').id}")
    assert page.title[0].value == "What is tuned, and how good is it?"
    assert page.query_params["model"] == "tuned"
    click(page, "models_back")
    assert page.title[0].value.startswith("Which models are here")


def test_one_model_shows_what_it_is_its_figures_and_its_card(models):
    page = opened(model="caller")
    shown = words(page)
    assert not page.warning
    assert "Tells promoters, seed 3" in shown
    assert "Classifier; tells background from promoter; reads windows of 81 bases" in shown
    assert "**MCC: 0.800 (95 % 0.750 to 0.850)**" in shown
    assert "A toy." in shown
    assert "dnalm predict caller sequences.fasta" in shown
    table = page.dataframe[0].value
    assert table["Figure"].tolist() == ["MCC", "AUROC"]


def test_a_shipped_model_is_shown_and_cannot_be_changed(models):
    page = opened(model=toy_house.MODEL)
    assert "comes with dnalm and cannot be changed" in words(page)
    assert not page.text_input
    assert not [label for label in labels(page) if "Delete" in label]


def test_a_model_that_is_not_here_is_said_and_the_way_leads_back(models):
    page = opened(model="gone")
    assert "asks for the model gone" in said(page.warning[0])
    assert "All models" in labels(page)


def test_a_damaged_model_is_named_and_the_others_are_there(models):
    (models["lm"].folder / "config.json").write_text('{"schema_version": 99}')
    page = opened()
    assert "schema version 99" in said(page.warning[0])
    assert "tuned" in "".join(labels(page))


def test_two_that_are_ticked_stand_side_by_side_and_the_address_has_them(models):
    page = opened()
    page.checkbox(key=f"models_tick_{by_name('caller').id}").check().run()
    assert "tick one more" in words(page)
    page.checkbox(key=f"models_tick_{by_name('other-caller').id}").check().run()
    assert page.query_params["compare"] == "caller,other-caller"
    assert "On 100 test sequences of toy-set (grouped split)" in words(page)
    (table,) = [frame.value for frame in page.dataframe]
    assert table["Figure"].tolist() == ["MCC", "AUROC"]
    assert table.loc[0, ["caller", "other-caller"]].tolist() == [
        "0.800 (95 % 0.750 to 0.850)",
        "0.700 (95 % 0.650 to 0.750)",
    ]
    again = opened(compare="caller,other-caller")
    assert again.dataframe[0].value.equals(table)
    again.checkbox(key=f"models_tick_{by_name('caller').id}").uncheck().run()
    assert again.query_params["compare"] == "other-caller"


def test_figures_on_different_sequences_do_not_stand_side_by_side(models):
    page = opened(compare="caller,lm")
    assert "measured on different sequences" in said(page.warning[0])
    assert "no figure of one can be held against another's" in said(page.warning[0])
    assert not page.dataframe


@pytest.mark.parametrize("other", [{"data": "a" * 64}, {"split": "published"}])
def test_another_table_or_another_split_is_another_measurement(models, tmp_path, other):
    apart = classifier(tmp_path / "home" / "models" / "apart", "apart", 8, **other)
    found = groups([models["caller"], apart, models["other-caller"]])
    assert [[bundle.config.name for bundle in group.bundles] for group in found] == [
        ["caller", "other-caller"],
        ["apart"],
    ]
    page = opened(compare="caller,apart,other-caller")
    assert "different sequences" in said(page.warning[0])
    assert list(page.dataframe[0].value.columns) == ["Figure", "caller", "other-caller"]


def test_a_model_that_does_not_say_on_what_is_held_against_nothing(house, models):
    shipped = read_bundle(house / "models" / toy_house.MODEL)
    assert [group.title for group in groups([shipped, models["caller"], shipped])] == [
        "",
        "100 test sequences of toy-set (grouped split)",
    ]


def test_rename_describe_and_share(models):
    lm = by_name("lm")
    page = opened(model="lm")
    page.text_input(key=f"models_name_{lm.id}").set_value("strain-7")
    page.text_input(key=f"models_description_{lm.id}").set_value("Of our strain")
    click(page, next(button.key for button in page.button if button.label == "Save"))
    assert page.query_params["model"] == "strain-7"
    assert "Saved" in said(page.success[0])
    page.toggle[0].set_value(True).run()
    assert "The lab can see it now" in said(page.success[0])
    found = by_name("strain-7")
    assert (found.id, found.description, found.shared) == (lm.id, "Of our strain", True)
    assert "yours, shared with the lab" in words(page)


def test_a_name_that_is_taken_is_said_and_nothing_changes(models):
    lm = by_name("lm")
    page = opened(model="lm")
    page.text_input(key=f"models_name_{lm.id}").set_value("tuned")
    click(page, next(button.key for button in page.button if button.label == "Save"))
    assert "there is a model named tuned already" in said(page.error[0])
    assert by_name("lm") == lm


def test_deleting_asks_first(models):
    page = click(opened(model="caller"), "models_delete")
    assert "Delete caller" in said(page.warning[0])
    click(page, "models_delete_no")
    assert by_name("caller")
    click(page, "models_delete")
    click(page, "models_delete_yes")
    assert "caller was deleted" in said(page.success[0])
    assert page.title[0].value.startswith("Which models are here")
    assert not models["caller"].folder.exists()


def test_deleting_what_others_came_from_is_refused_at_once_and_names_them(models):
    page = click(opened(model="tuned"), "models_delete")
    assert "tuned cannot be deleted: made from it: caller" in said(page.error[0])
    order = [getattr(one, "key", None) or one.type for one in page.main]
    assert order.index("error") == order.index("models_delete") + 1  # where the person looks
    assert "models_delete_yes" not in [button.key for button in page.button]
    assert models["tuned"].folder.exists()


def test_anothers_shared_model_can_be_read_and_not_changed(models, monkeypatch, tmp_path):
    add_user(local_user(), "ada", "Ada")
    index.share_model(local_user(), by_name("lm").id, True)
    monkeypatch.setattr("dashboard.person.acting_user", lambda: User("ada", "Ada", "member"))
    page = opened(model="lm")
    assert "only they or an admin may change it" in words(page)
    assert not page.text_input
    assert "the model tuned, which is not here, or is not shared with you" in words(opened(model="tuned"))


def archive(folder: Path) -> dict[str, bytes]:
    path = export_bundle(folder, folder.parent.parent / "export.zip")
    with zipfile.ZipFile(path) as source:
        return {entry.filename: source.read(entry) for entry in source.infolist()}


def packed(entries, **options) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as target:
        for name, content in entries.items():
            target.writestr(name, content)
    return buffer.getvalue()


def upload(content: bytes, name: str = ""):
    page = opened()
    page.file_uploader[0].upload("theirs.zip", content, "application/zip")
    page.text_input(key="models_upload_name").set_value(name)
    return click(page, next(button.key for button in page.button if button.label == "Import"))


@pytest.fixture
def theirs(house, tmp_path):
    """The archive of a model that someone else made."""
    made = language_model(tmp_path / "elsewhere" / "made" / "their-lm", "their-lm", 5)
    return archive(made.folder)


def here():
    return sorted(folder.name for folder in list_bundles())


def test_a_model_is_taken_in_opened_and_its_takers(theirs):
    page = upload(packed(theirs))
    assert page.title[0].value == "What is their-lm, and how good is it?"
    assert "theirs.zip was checked and imported" in said(page.success[0])
    assert by_name("their-lm").owner == "local"
    assert "there is a model of this name" in said(upload(packed(theirs)).error[0])
    upload(packed(theirs), "another")
    assert here() == ["another", "their-lm", toy_house.MODEL]


def link_entry() -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo("their-lm/README.md")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def renamed(entries, old, new):
    return {name.replace(old, new): content for name, content in entries.items()}


def changed(entries, **fields):
    config = json.loads(entries["their-lm/config.json"]) | fields
    return entries | {"their-lm/config.json": json.dumps(config).encode()}


HOSTILE = {
    "no zip": lambda entries: b"MZ not a zip",
    "empty": lambda entries: packed({}),
    "cut": lambda entries: packed(entries)[:-300],
    "path": lambda entries: packed(entries | {"../../evil/config.json": b"{}"}),
    "absolute": lambda entries: packed(entries | {"/etc/config.json": b"{}"}),
    "backslash": lambda entries: packed(entries | {"..\\..\\config.json": b"{}"}),
    "deep": lambda entries: packed(renamed(entries, "their-lm/", "a/b/c/")),
    "pickle": lambda entries: packed(entries | {"their-lm/model.pt": b"\x80\x04."}),
    "twice": lambda entries: packed(entries | {"other/config.json": entries["their-lm/config.json"]}),
    "link": lambda entries: packed(
        {name: body for name, body in entries.items() if "README" not in name} | {link_entry(): b"/etc/passwd"}
    ),
    "bomb": lambda entries: packed(
        {**entries, "their-lm/README.md": b"a" * (8 << 20)}, compression=zipfile.ZIP_DEFLATED
    ),
    "lzma": lambda entries: packed(entries, compression=zipfile.ZIP_LZMA),
    "many": lambda entries: packed(entries | {f"their-lm/{n}/": b"" for n in range(50)}),
    "other weights": lambda entries: packed(entries | {"their-lm/model.safetensors": b"\x00" * 64}),
    "name": lambda entries: packed(changed(entries, name="../../evil")),
    "huge": lambda entries: packed(
        changed(entries, encoder={"k": 8, "stride": 1, "embedding": 4096, "hidden": 8192, "layers": 8})
    ),
    "no config": lambda entries: packed({name: body for name, body in entries.items() if "config" not in name}),
}


def files(folder):
    ours = (".models.lock", "lab.db", "lab.db-wal", "lab.db-shm", "lab.db.lock", "theirs.zip")
    return {path for path in folder.rglob("*") if path.is_file() and path.name not in ours}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_hostile_is_refused_and_leaves_nothing(theirs, tmp_path, kind):
    before = files(tmp_path)
    (tmp_path / "theirs.zip").write_bytes(HOSTILE[kind](theirs))
    with pytest.raises(InputError):
        index.import_model(local_user(), tmp_path / "theirs.zip")
    assert here() == [toy_house.MODEL]
    assert files(tmp_path) == before
    assert not list((tmp_path / "home" / "models").iterdir())


@pytest.mark.parametrize("kind", ["path", "bomb"])
def test_the_page_says_why_in_the_files_own_name_and_keeps_nothing(theirs, tmp_path, kind):
    before = files(tmp_path)
    sentence = said(upload(HOSTILE[kind](theirs)).error[0])
    assert sentence.startswith("theirs.zip: ")
    assert str(tmp_path) not in sentence
    assert files(tmp_path) == before
    assert here() == [toy_house.MODEL]


def test_a_bad_name_for_an_import_is_refused(theirs):
    assert "is no name for a model" in said(upload(packed(theirs), "../evil").error[0]).replace("\\", "")
    assert here() == [toy_house.MODEL]


def test_a_card_cannot_make_the_browser_ask_another_server():
    card = "# lm\n\n![track](http://evil.example/x.png) and ![b][c]\n\n[c]: http://evil.example/y.png\n"
    assert "\n![" not in card_text(card).replace("\\![", "")
    assert card_text(card).count("\\![") == 2
    assert not card_text(card).startswith("# ")


def test_a_runs_model_is_here_when_it_is_done(house, tmp_path):
    finished_run(tmp_path / "home", "pretrain-1", name="from-a-run", seed=6)
    index.reindex()
    shown = words(opened(model="from-a-run"))
    assert "Bits per base: 1.900" in shown


def test_the_pictures_boxes_are_joined_and_a_click_names_the_model(models):
    figure = lineage_figure(index.lineage(local_user()), LIGHT, focus=by_name("lm").id)
    boxes = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    lines = [shape for shape in figure.layout.shapes if shape.type == "path"]
    assert (len(boxes), len(lines)) == (6, 4)
    assert [box.line.width for box in boxes].count(3) == 1
    assert set(figure.data[0].customdata) == {"", *models, toy_house.MODEL}
    spots = {(box.x0, box.y0) for box in boxes}
    assert len(spots) == len(boxes)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ecoli-lm", "ecoli-lm"),
        ("ecoli-promoters-150-masked", "ecoli-promoters-<br>150-masked"),
        ("train-20261122-154433-x9k2", "train-20261122-<br>154433-x9k2"),
        ("a" * 60, f"{'a' * 24}<br>…"),
    ],
)
def test_a_long_name_is_broken_where_its_parts_meet(name, shown):
    node = Node("k", Stage.CLASSIFIER, name, "id")
    figure = lineage_figure(Lineage((node,), ()), LIGHT)
    assert shown in [note.text for note in figure.layout.annotations]


def test_names_of_others_making_are_text_in_the_picture(models):
    config = json.loads((models["lm"].folder / "config.json").read_text())
    config["trained"]["config"]["genomes"] = ["<a href='javascript:alert(1)'>x</a>"]
    (models["lm"].folder / "config.json").write_text(json.dumps(config))
    figure = lineage_figure(index.lineage(local_user()), LIGHT)
    said = [note.text for note in figure.layout.annotations] + list(figure.data[0].hovertext)
    assert not [text for text in said if "<a" in text]


def test_many_models_are_found_by_words(house, tmp_path):
    made = language_model(tmp_path / "home" / "models" / "m0", "m0", 1)
    for number in range(1, 30):
        shutil.copytree(made.folder, made.folder.parent / f"m{number}")
    page = opened()
    assert "The first 25 of 31" in words(page)
    page.text_input(key="models_find").set_value("m17").run()
    assert [label for label in labels(page) if label.startswith("m")] == ["m17"]


def test_an_error_of_an_import_names_neither_folder(theirs, tmp_path):
    with pytest.raises(InputError, match=r"x\.zip: not there"):
        index.import_model(local_user(), tmp_path / "x.zip")


def test_a_genome_is_named_without_the_folder_that_holds_it():
    told = {"config": {"genomes": ["/srv/uploads/upload-1/small.fa", "ecoli-k12"]}}
    config = SimpleNamespace(kind="language-model", trained=told)
    bundle = SimpleNamespace(metrics={"split": "held-out", "corpus_sha256": "ab"}, config=config)
    assert measured(bundle)[1] == "held-out text of small.fa, ecoli-k12"
