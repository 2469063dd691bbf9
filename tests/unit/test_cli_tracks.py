"""`dnalm peaks` and `dnalm tracks`, by a track model that finds TATAAT and calls its first base."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from dnalm.alphabet import decode, encode, reverse_complement
from dnalm.annotation import read_sites
from dnalm.cli import app
from dnalm.cli.peaks import _called
from dnalm.cli.track_input import Genome, _within
from dnalm.errors import InputError
from dnalm.sequences import Region
from dnalm.tracks import Track
from dnalm.tracks.background import background_of, pooled
from dnalm.tracks.calibration import Calibration
from dnalm.tracks.evaluation import Comparison, Evaluation
from tests.toy_track import random_tracks, track_bundle

runner = CliRunner()
FORWARD, REVERSE = (500, 1500, 2300), (905, 3200)
"""First bases of the motif on each strand of a genome of 4,000 bases."""


@pytest.fixture
def model(home: Path) -> str:
    regions = {"train": ["chr:1-1000"], "valid": ["chr:1001-1200"], "test": ["chr:2001-4000"]}
    track_bundle(home / "models" / "tata", trained={"regions": regions})
    return "tata"


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    """No TATAAT but those placed: the rest has no T but A, C, G in runs of two."""
    rng = np.random.default_rng(0)
    codes = rng.choice([0, 1, 2], 4000).astype(np.uint8)
    for place in FORWARD:
        codes[place : place + 6] = encode("TATAAT")
    for place in REVERSE:
        codes[place - 5 : place + 1] = reverse_complement(encode("TATAAT"))
    path = tmp_path / "genome.fa"
    path.write_text(f">chr\n{decode(codes)}\n")
    return path


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    rows = [(501, "+", "a"), (1504, "+", "b"), (3201, "-", "c"), (3900, "+", "missed")]
    path = tmp_path / "truth.tsv"
    path.write_text("tss\tstrand\tname\n" + "".join(f"{tss}\t{strand}\t{name}\n" for tss, strand, name in rows))
    return path


def run(*words: object, code: int = 0):
    result = runner.invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result


def calls_of(table: Path) -> list[tuple[int, str]]:
    rows = pd.read_csv(table, sep="\t")
    return list(zip(rows.position - 1, rows.strand, strict=True))


EXPECTED = sorted([*((place, "+") for place in FORWARD), *((place, "-") for place in REVERSE)])


def test_a_models_calls_are_the_motifs_on_both_strands(model, genome, truth, tmp_path) -> None:
    out = tmp_path / "calls.tsv"
    told = json.loads(run("peaks", model, genome, "--truth", truth, "-o", out, "--json").stdout)
    assert calls_of(out) == EXPECTED
    assert (told["calls"], told["strands"], told["threshold"]) == (5, {"+": 3, "-": 2}, 0.5)
    assert told["agreement"] == {"known": 4, "found": 3, "calls": 5, "right": 3, "tolerance": 10}
    table = pd.read_csv(out, sep="\t").set_index("position")
    assert table.loc[1501, ["site", "offset"]].tolist() == ["b", -3]
    assert table.prominence.min() > 0.99
    # The table reads back as sites.
    assert [(site.position, site.strand) for site in read_sites(out)] == EXPECTED


@pytest.mark.parametrize("suffix", [".bw", ".bedgraph", ".tsv", ".parquet"])
def test_a_file_of_scores_gives_the_same_calls_as_the_model(model, genome, tmp_path, suffix: str) -> None:
    scan, out = tmp_path / f"scan{suffix}", tmp_path / "calls.tsv"
    run("scan", model, genome, "-o", scan)
    told = json.loads(run("peaks", scan, "-o", out, "--json").stdout)
    assert (told["name"], told["calls"]) == ("scan", 5)
    assert calls_of(out) == EXPECTED
    run("peaks", scan, "--region", "chr:1,001-2,500", "-o", out)
    assert calls_of(out) == [(1500, "+"), (2300, "+")]


def test_calls_to_standard_output_and_browser_files(model, genome, tmp_path) -> None:
    result = run("peaks", model, genome)
    assert result.stdout.startswith("record\tposition\tstrand\tprobability\tprominence\nchr\t501\t+\t0.99")
    assert "5 calls at or above 0.5" in result.stderr
    bed, gff = tmp_path / "calls.bed", tmp_path / "calls.gff3"
    run("peaks", model, genome, "-o", bed)
    assert len(bed.read_text().splitlines()) == 6
    run("peaks", model, genome, "-o", gff)
    assert gff.read_text().startswith("##gff-version 3")


@pytest.fixture
def noisy(home: Path) -> str:
    """A model with peaks everywhere."""
    track_bundle(home / "models" / "noisy", random_tracks())
    return "noisy"


def test_a_shuffled_background_gives_each_call_a_q_that_falls_with_its_height(noisy, genome, tmp_path) -> None:
    out = tmp_path / "calls.tsv"
    words = ("peaks", noisy, genome, "--background", "shuffled", "--distance", 5, "--threshold", 0, "-o", out, "--json")
    told = json.loads(run(*words).stdout)
    table = pd.read_csv(out, sep="\t").sort_values("probability")
    assert (np.diff(table.q) <= 1e-12).all()
    assert table.q.between(0, 1).all()
    assert told["background"] | {"peaks": 0, "per_kb_at_threshold": 0} == {
        "kind": "shuffled", "kilobases": 8.0, "peaks": 0, "per_kb_at_threshold": 0,
    }  # fmt: skip
    assert json.loads(run(*words).stdout) == told  # the same seed, the same shuffle
    fewer = json.loads(run(*words, "--q", 0.5).stdout)
    assert fewer["calls"] == (table.q <= 0.5).sum()


def test_q_counts_the_calls_of_all_records_together() -> None:
    """A thousand records of pure chance: each alone has a highest call that looks rare."""
    rng = np.random.default_rng(0)

    def drawn(name: str) -> Track:
        return Track(name, 0, 100, 1, 1, np.arange(100), rng.random(100).astype(np.float32), None, "m", "p", 100)

    calling = {"distance": 5, "smooth": 0.0}
    chance = pooled([background_of(drawn(f"b{number}"), "shuffled", **calling) for number in range(200)])
    tracks = [drawn(f"c{number}") for number in range(200)]
    found = _called(tracks, Genome(), 0.0, 0.0, calling, chance, 0.05, None)
    assert len(found) <= 3


def test_genic_and_given_backgrounds(noisy, genome, tmp_path) -> None:
    genes, scan = tmp_path / "genes.bed", tmp_path / "scan.tsv"
    genes.write_text("chr\t2500\t3900\tg\t0\t+\n")
    run("scan", noisy, genome, "-o", scan)
    words = ("peaks", scan, "-o", tmp_path / "out.tsv", "--distance", "3", "--json")
    told = json.loads(run(*words, "--background", "genic", "--genes", genes).stdout)
    assert told["background"]["kind"] == "genic"
    assert told["background"]["kilobases"] == pytest.approx(1.4 + 1.4 - 0.301)
    told = json.loads(run(*words, "--background", scan).stdout)
    assert told["background"]["kilobases"] == pytest.approx(8, abs=0.1)


def test_a_track_is_scored_with_what_the_model_has_seen_told_apart(model, genome, truth) -> None:
    words = ("tracks", "evaluate", model, "--genome", genome, "--truth", truth, "--tolerance", 5, "--resamples", 20)
    told = json.loads(run(*words, "--json").stdout)
    found = Evaluation.from_dict(told["evaluations"][0])
    held_out, seen = (found.row(tolerance=5, part=part) for part in ("held-out", "trained-on"))
    assert (held_out.sites, seen.sites) == (3, 1)
    assert held_out.figures["recall"].value == pytest.approx(2 / 3)
    assert held_out.figures["precision"].value == pytest.approx(2 / 3)
    assert seen.figures["recall"].value == 1
    table = run(*words).stdout.splitlines()
    assert table[0].startswith("name\tpart\tstrand\tsites as\ttolerance\tsites\tauprc")
    assert len(table) == 1 + 2 * 3 * 2


def test_several_tracks_are_compared_on_the_same_blocks(model, genome, truth, tmp_path) -> None:
    scan = tmp_path / "half.tsv"
    run("scan", model, genome, "-o", scan)
    table = pd.read_csv(scan, sep="\t")
    table.loc[table.position == 500, "probability"] = 0
    table.to_csv(scan, sep="\t", index=False)
    words = ("tracks", "evaluate", model, scan, "--genome", genome, "--truth", truth, "--tolerance", 5)
    told = json.loads(run(*words, "--trained-on", "chr:3,950-3,999", "--json").stdout)
    (pair,) = (Comparison.from_dict(one) for one in told["comparisons"])
    assert (pair.first, pair.second) == ("half", "tata")
    assert pair.row(tolerance=5).ratios["auprc"].value < 1
    said = run(*words, "--against", "half", "--resamples", 0).stderr
    assert "AUPRC of tata within 5 bases" in said
    assert "the names here are" in run(*words, "--against", "nobody", code=2).stderr


def test_a_file_that_ends_earlier_is_compared_on_what_both_score(model, genome, truth, tmp_path) -> None:
    scan = tmp_path / "part.tsv"
    run("scan", model, genome, "--region", "chr:301-3,000", "-o", scan)
    words = ("tracks", "evaluate", model, scan, "--genome", genome, "--truth", truth, "--tolerance", 5, "--json")
    done = run(*words)
    (pair,) = (Comparison.from_dict(one) for one in json.loads(done.stdout)["comparisons"])
    assert pair.row(tolerance=5).ratios["auprc"].value == 1  # the same scores on the same bases
    assert "all of them score: chr:3" in done.stderr
    assert "part: not said what was trained on" in done.stderr
    run("scan", model, genome, "--region", "chr:3,501-4,000", "-o", tmp_path / "rest.tsv")
    apart = run(*words[:2], scan, tmp_path / "rest.tsv", *words[4:], code=2).stderr
    assert "no base is scored by all of part, rest" in apart


def test_a_calibration_is_learned_kept_and_written_beside_the_calls(home, noisy, genome, truth, tmp_path) -> None:
    kept, out = tmp_path / "calibration.json", tmp_path / "calls.tsv"
    words = ("tracks", "calibrate", noisy, "--genome", genome, "--truth", truth, "-o", kept, "--distance", 5)
    run(*words, "--region", "chr:1,001-4,000", "--tolerance", 5)
    learned = Calibration.read(kept)
    assert learned.facts["regions"] == ["chr:1001-4000"]
    run("peaks", noisy, genome, "--calibration", kept, "--threshold", 0, "-o", out)
    table = pd.read_csv(out, sep="\t")
    np.testing.assert_allclose(table.calibrated, learned(table.probability), atol=1e-4)
    # A model's own, in its metrics, is found without being named.
    metrics = home / "models" / "noisy" / "metrics.json"
    metrics.write_text(json.dumps({"calibration": learned.as_dict()}))
    run("peaks", noisy, genome, "--threshold", 0, "-o", tmp_path / "own.tsv")
    assert (tmp_path / "own.tsv").read_text() == out.read_text()


def test_what_a_model_was_trained_on_calibrates_nothing(model, genome, truth, tmp_path) -> None:
    words = ("tracks", "calibrate", model, "--genome", genome, "--truth", truth, "-o", tmp_path / "c.json")
    assert "was trained on chr:1-1,000" in run(*words, code=2).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["peaks", "tata"], "name the genome that it reads"),
        (["peaks", "tata", "GENOME", "-o", "x.txt"], "calls are written as"),
        (["peaks", "tata", "GENOME", "--json"], "--json needs -o"),
        (["peaks", "tata", "GENOME", "--q", "0.1"], "--q needs --background"),
        (["peaks", "tata", "GENOME", "--background", "genic"], "needs --genes"),
        (["peaks", "tata", "GENOME", "--background", "moon"], "wanted shuffled, genic or a track"),
        (["peaks", "tata", "GENOME", "--region", "no:1-10"], "has no record no"),
        (["tracks", "evaluate", "tata", "--truth", "TRUTH"], "name the genome that it reads"),
        (["tracks", "evaluate", "tata", "--genome", "GENOME", "--truth", "TRUTH", "--baselines"], "--train-region"),
        (["tracks", "benchmark", "--no-baselines"], "leaves nothing to measure"),
        (["tracks", "benchmark", "=x"], "write a model, or NAME="),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(model, genome, truth, words: list[str], said: str) -> None:
    given = [{"GENOME": str(genome), "TRUTH": str(truth)}.get(word, word) for word in words]
    assert said in run(*given, code=2).stderr


def test_a_region_over_the_origin_of_a_circle_takes_both_its_ends(tmp_path):
    scores = np.linspace(0, 1, 1000, dtype=np.float32)
    track = Track("c", 0, 1000, 1, 1, np.arange(1000), scores, None, "m", "p", 1000)
    found = _within([track], Region("c", 950, 1020))
    assert found.positions.tolist() == list(range(950, 1020))
    np.testing.assert_array_equal(found.forward, np.concatenate([scores[950:], scores[:20]]))
    with pytest.raises(InputError, match=r"there is no score in it; there are scores of c:1-1,000"):
        _within([track], Region("d", 0, 10))
