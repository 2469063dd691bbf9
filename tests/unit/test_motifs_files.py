"""From a model to its motifs, and the files and the command that hold them: everything planted, every answer known."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import toy_house
from Bio import motifs as biopython
from typer.testing import CliRunner

import dnalm
from dnalm.alphabet import decode
from dnalm.cli import app
from dnalm.errors import InputError
from dnalm.files import picture_bytes
from dnalm.interpret import motif_files as files
from dnalm.interpret.modisco import find_motifs_modisco
from dnalm.interpret.motif_picture import draw_motifs
from dnalm.interpret.motif_report import explain_motifs

runner = CliRunner()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return dnalm.load(toy_house.toy_bundle(tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="module")
def windows():
    """Forty promoters, then ten windows without boxes."""
    rng = np.random.default_rng(5)
    others = [rng.integers(0, 4, 81).astype(np.uint8) for _ in range(10)]
    return [*(toy_house.promoter_window(rng) for _ in range(40)), *others]


@pytest.fixture(scope="module")
def report(model, windows):
    return explain_motifs(model, windows, generator=np.random.default_rng(0), method="input-x-gradient")


def test_a_models_own_words_are_found_in_what_it_calls(report):
    assert (report.given, report.used) == (50, tuple(range(40)))
    assert (report.model, report.label, report.method, report.baseline) == (
        *(toy_house.MODEL, "promoter", "input-x-gradient"),
        "",
    )
    assert {one.consensus for one in report.motifs.motifs} == {"TTGACA", "TATAAT"}
    for motif in report.motifs.motifs:
        assert report.best_match(motif.name).consensus == motif.consensus
        # The linear model's weight of 3, less the mean over the four bases.
        assert motif.contributions.max(axis=1) == pytest.approx(np.full(6, 3 * 3 / 4), abs=0.01)
    assert report.reads_a_box
    assert report.spacing.commonest == 17
    assert report.minus_10_by_chance == pytest.approx(15 / 76)


def test_the_same_seed_gives_the_same_report(model, windows, report):
    again = explain_motifs(model, windows, generator=np.random.default_rng(0), method="input-x-gradient")
    assert files.report_dict(again)["matches"] == files.report_dict(report)["matches"]
    assert [one.sites for one in again.motifs.motifs] == [one.sites for one in report.motifs.motifs]
    assert again.spacing == report.spacing


def test_every_sequence_where_that_is_asked_for(model, windows):
    draws = np.random.default_rng(0)
    found = explain_motifs(model, windows[40:], generator=draws, method="input-x-gradient", every=True)
    assert found.used == tuple(range(10))
    with pytest.raises(InputError, match="calls none of the 10 sequences promoter"):
        explain_motifs(model, windows[40:], generator=draws, method="input-x-gradient")
    with pytest.raises(InputError, match="no engine for motifs"):
        explain_motifs(model, windows, generator=draws, engine="meme")
    with pytest.raises(InputError, match="no class 'enhancer'"):
        explain_motifs(model, windows, generator=draws, label="enhancer")


def test_shuffled_sequences_serve_as_a_null(model, windows):
    draws = np.random.default_rng(0)
    found = explain_motifs(model, windows, generator=draws, method="input-x-gradient", null="sequences")
    assert found.motifs.seqlets.null == "scores of 40 shuffled sequences"
    assert {one.consensus for one in found.motifs.motifs} == {"TTGACA", "TATAAT"}
    with pytest.raises(InputError, match="no null of the engine"):
        explain_motifs(model, windows, generator=draws, null="background")


def test_jaspar_there_and_back(report, tmp_path):
    path = tmp_path / "found.jaspar"
    path.write_text(files.jaspar_text(report.motifs.motifs))
    known = files.read_known(path)
    assert [one.consensus for one in known] == [one.consensus for one in report.motifs.motifs]
    for one, motif in zip(known, report.motifs.motifs, strict=True):
        assert one.frequencies == pytest.approx(motif.counts / motif.counts.sum(axis=1, keepdims=True))
        assert one.source == "found.jaspar"
        assert motif.name in one.name


def test_meme_there_and_back(report, tmp_path):
    text = files.meme_text(report.motifs.motifs)
    parsed = biopython.parse(io.StringIO(text), "minimal")
    assert [str(one.consensus) for one in parsed] == [one.most_common for one in report.motifs.motifs]
    path = tmp_path / "found.meme"
    path.write_text(text)
    assert {one.consensus for one in files.read_known(path)} == {"TTGACA", "TATAAT"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("A C G T", "neither JASPAR"),
        (">M1 odd\nA [ 1 2 ]\nC [ 0 x ]\nG [ 0 0 ]\nT [ 0 0 ]\n", "cannot be read|without counts"),
        (">M1 none\nA [ 0 ]\nC [ 0 ]\nG [ 0 ]\nT [ 0 ]\n", "without counts"),
        ("MEME version 4\n\nALPHABET= ACGT\n", "holds no motif|cannot be read"),
    ],
)
def test_a_file_that_is_no_motif_file_is_refused(tmp_path, text, sentence):
    path = tmp_path / "odd.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=sentence):
        files.read_known(path)


def test_tables_have_their_columns_and_their_places(report, windows):
    names, letters = [f"s{n}" for n in range(50)], [decode(one) for one in windows]
    rows = files.site_rows(report, names, letters)
    assert len(rows) == sum(len(one.sites) for one in report.motifs.motifs) == 80
    assert {(row["position"], row["bases"]) for row in rows} == {(-35, "TTGACA"), (-12, "TATAAT")}
    text = files.tsv_text(files.SUMMARY, files.summary_rows(report))
    assert text.splitlines()[0].split("\t") == list(files.SUMMARY)
    assert sum(row["sequences"] for row in files.spacing_rows(report)) == 40
    assert len(files.match_rows(report)) == 2 * 5


@pytest.mark.parametrize(("kind", "begin"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_the_picture_is_of_its_format_and_the_same_again(report, kind, begin):
    first, second = (picture_bytes(draw_motifs(report), kind) for _ in range(2))
    assert first.startswith(begin)
    assert first == second


def test_a_picture_of_nothing_says_so_and_other_kinds_are_refused(report):
    nothing = replace(report, motifs=replace(report.motifs, motifs=()), matches=())
    assert b"No stretch stands out" in picture_bytes(draw_motifs(nothing), "svg")
    with pytest.raises(InputError, match="png or svg, not gif"):
        picture_bytes(draw_motifs(nothing), "gif")


def test_modisco_is_not_for_short_windows():
    codes, scores = [np.zeros(81, np.uint8)] * 3, [np.zeros(81)] * 3
    with pytest.raises(InputError, match="100 bases or more; these have 81"):
        find_motifs_modisco(codes, scores, generator=np.random.default_rng(0))


@pytest.fixture
def given(home, tmp_path, windows):
    toy_house.toy_bundle(home / "models")
    path = tmp_path / "windows.fa"
    path.write_text("".join(f">s{n}\n{decode(one)}\n" for n, one in enumerate(windows)))
    return str(path)


FAST = ("--method", "input-x-gradient")


def test_the_command_prints_a_table_and_says_the_rest(given):
    result = runner.invoke(app, ["explain", "motifs", toy_house.MODEL, given, *FAST])
    assert result.exit_code == 0, result.output
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert rows[0] == list(files.SUMMARY)
    assert {row[1] for row in rows[1:]} == {"TTGACA", "TATAAT"}
    assert "40 of 50 sequences looked through" in result.stderr
    assert "most often 17 bases" in result.stderr


def test_the_command_fills_a_folder_and_the_same_seed_the_same(given, tmp_path):
    for name in ("one", "two"):
        words = ["explain", "motifs", toy_house.MODEL, given, *FAST, "-o", str(tmp_path / name)]
        assert runner.invoke(app, words).exit_code == 0
    made = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    assert set(made) == {
        *("motifs.tsv", "sites.tsv", "matches.tsv", "spacing.tsv", "motifs.meme", "motifs.jaspar", "motifs.json"),
        *("motifs.png", "motifs.svg"),
    }
    assert made == {path.name: path.read_bytes() for path in (tmp_path / "two").iterdir()}
    assert json.loads(made["motifs.json"])["spacing"]["commonest"] == 17


def test_the_command_matches_files_of_motifs_and_prints_json(given, tmp_path):
    mine = tmp_path / "mine.jaspar"
    mine.write_text(">MX1 mybox\nA [ 0 9 0 9 9 0 ]\nC [ 0 0 0 0 0 0 ]\nG [ 0 0 0 0 0 0 ]\nT [ 9 0 9 0 0 9 ]\n")
    words = ["explain", "motifs", toy_house.MODEL, given, *FAST, "--jaspar", str(mine), "--json"]
    told = json.loads(runner.invoke(app, words).stdout)
    known = {one["known"]: one for one in told["matches"] if one["q_value"] <= 0.05}
    assert known["MX1 mybox"]["consensus"] == "TATAAT"
    assert told["strongest_six_bases_at_minus_10"]["share"]["n"] == 40


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--label", "enhancer"], "no class 'enhancer'"),
        (["--engine", "modisco"], "these have 81"),
        (["-o", "motifs.doc"], "says no format"),
        (["--method", "guessing"], "no method of attribution"),
    ],
)
def test_the_command_refuses_in_a_sentence(given, words, sentence):
    result = runner.invoke(app, ["explain", "motifs", toy_house.MODEL, given, *FAST, *words])
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_the_measure_of_the_minus_10_element_by_hand(monkeypatch):
    monkeypatch.setattr(
        sys, "path", [str(Path(__file__).parents[2]), *sys.path]
    )  # benchmarks/ is no part of the package
    from benchmarks import minus_ten

    at, away = np.zeros(81), np.zeros(81)
    at[48:54], away[:6] = 1, 1
    found = minus_ten.shares([at, at, away], [away] * 3, 60, np.arange(3), 0)
    assert found["promoters"]["value"] == pytest.approx(2 / 3)
    assert found["shuffled"]["value"] == 0
    assert found["starts"] == {"-60": 1, "-12": 2}
    assert found["other_definitions"]["width 10"]["value"] == pytest.approx(2 / 3)
    result = {"promoters": {"called_right": 3, "held_out": 4}, "by_chance": 0.2, "ways": {"by hand": found}}
    text = minus_ten.table(result)
    assert text.startswith("3 of 4 held-out promoters are called right")
    assert "| by hand | 0.67 (" in text


def test_several_processes_give_the_same_motifs_and_what_is_done_is_kept(given, tmp_path, monkeypatch):
    from dnalm.interpret import kept

    words = ["explain", "motifs", toy_house.MODEL, given, *FAST, "-o"]
    assert runner.invoke(app, [*words, str(tmp_path / "one.json")]).exit_code == 0
    # Stopped after ten sequences: the file of answers stays, and the same command goes on from there.
    put, taken = kept.Kept.put, []

    def stop(self, number, answer):
        put(self, number, answer)
        taken.append(number)
        if len(taken) == 10:
            raise KeyboardInterrupt

    monkeypatch.setattr(kept.Kept, "put", stop)
    assert runner.invoke(app, [*words, str(tmp_path / "two.json")]).exit_code == 130
    assert (tmp_path / "two.json.partial").is_file()
    monkeypatch.setattr(kept.Kept, "put", put)
    again = runner.invoke(app, [*words, str(tmp_path / "two.json"), "--processes", "2"])
    assert "10 of " in again.stderr
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    assert not (tmp_path / "two.json.partial").exists()
