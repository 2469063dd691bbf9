"""Windows cut at sites: where each lies, what is left out and counted, and that no random window touches one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_models import random_codes
from typer.testing import CliRunner

from dnalm.alphabet import decode, encode
from dnalm.annotation import Site
from dnalm.cli import app
from dnalm.datasets import Dataset
from dnalm.datasets.cutting import BACKGROUND, Cut, cut_at_sites
from dnalm.errors import InputError
from dnalm.sequences import Record, Region


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def placed(source: str) -> Region:
    return Region.parse(source)


def test_windows_lie_around_their_sites_on_their_strand():
    record = Record("r", encode("AAAAACCCCCGGGGGTTTTTACGTACGTAA" + "ACGGT" * 8))
    sites = [Site("r", 10, "+", "a"), Site("r", 10, "-", "b")]
    built = cut_at_sites([record], sites, Cut(3, 2, per_site=0.5), rng())
    rows = built.table[built.table["label"] == "promoter"]
    assert rows["sequence"].tolist() == ["CCCGG", "CCCCG"]
    assert rows["source"].tolist() == ["r:8-12(+)", "r:10-14(-)"]
    assert rows["id"].tolist() == ["promoter-a-r-8+", "promoter-b-r-10-"]
    assert (built.table["label"] == BACKGROUND).sum() == 1


def test_what_cannot_be_cut_is_left_out_and_counted():
    codes = random_codes(400)
    codes[200:230] = 4
    sites = [
        *(Site("r", position, "+", f"s{position}") for position in (2, 100, 215, 398)),
        Site("r", 100, "+", "again"),
        Site("elsewhere", 5, "+"),
    ]
    built = cut_at_sites([Record("r", codes)], sites, Cut(10, 10), rng())
    assert (built.table["label"] == "promoter").sum() == 1
    assert built.dropped == {
        "sites at the place of another": 1,
        "sites on a sequence that the genome does not have": 1,
        "windows that run beyond their sequence, or of which a tenth is unknown": 3,
    }
    circle = cut_at_sites([Record("r", codes, circular=True)], sites, Cut(10, 10), rng())
    rows = circle.table[circle.table["label"] == "promoter"]
    assert len(rows) == 3
    assert rows["sequence"].iloc[0] == decode(np.concatenate([codes[392:], codes[:12]]))


def test_where_there_is_no_room_there_are_fewer_and_that_is_said():
    record = Record("r", random_codes(60))
    built = cut_at_sites([record], [Site("r", 30, "+")], Cut(25, 25, per_site=4), rng())
    assert built.dropped == {"random windows for which there was no room": 4}
    with pytest.raises(InputError, match="none of 1 sites leaves a window of 50 bases; they are on other"):
        cut_at_sites([record], [Site("other", 30, "+")], Cut(25, 25), rng())
    with pytest.raises(InputError, match="wanted are 0 or more, 1 or more"):
        Cut(-1, 0)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 899), st.sampled_from("+-")), min_size=1, max_size=8),
    st.integers(0, 30),
    st.integers(1, 30),
    st.booleans(),
)
def test_no_random_window_touches_one_at_a_site_and_each_is_what_its_source_says(sites, upstream, downstream, circular):
    record = Record("r", random_codes(900), circular=circular)
    cut = Cut(upstream, downstream, per_site=2)
    try:
        built = cut_at_sites([record], [Site("r", at, strand) for at, strand in sites], cut, rng())
    except InputError:
        return
    taken = np.zeros(900, dtype=bool)
    for at, strand in sites:
        first = cut.first(Site("r", at, strand))
        inside = np.arange(first, first + cut.length)
        taken[inside % 900 if circular else inside[(inside >= 0) & (inside < 900)]] = True
    assert built.table["id"].is_unique
    for row in built.table.itertuples():
        region = placed(row.source)
        assert decode(record.extract(region)) == row.sequence
        assert len(row.sequence) == cut.length
        if row.label == BACKGROUND:
            assert not taken[region.start : region.end].any()


def test_the_command_makes_a_set_and_the_same_seed_gives_the_same(home: Path, tmp_path: Path):
    genome, table = tmp_path / "g.fa", tmp_path / "tss.tsv"
    genome.write_text(f">chr1 one\n{decode(random_codes(9000))}\n>chr2\n{decode(random_codes(5000, 1))}\n")
    lines = [f"chr{1 + n % 2}\t{200 + 150 * n}\t{'+-'[n % 2]}\ts{n}" for n in range(28)]
    table.write_text("record\ttss\tstrand\tname\n" + "\n".join(lines) + "\n")

    def told(name: str, *more: str):
        words = ["data", "windows", name, str(genome), str(table), "--upstream", "40", "--downstream", "20", *more]
        return CliRunner().invoke(app, words)

    assert told("mine").exit_code == 0
    dataset = Dataset.load("mine")
    assert dataset.table["label"].value_counts().to_dict() == {"promoter": 28, BACKGROUND: 28}
    assert (dataset.window, dataset.anchor, dataset.positive) == (60, 40, "promoter")
    assert dataset.info["recipe"]["upstream"] == 40
    assert "gc_alone" in dataset.info["audit"]
    assert told("mine").exit_code == 0  # the same again
    refused = told("mine", "--seed", "1")
    assert refused.exit_code == 2
    assert "choose another name" in refused.stderr
    assert told("other", "--seed", "1").exit_code == 0
    assert Dataset.load("other").sha256() != dataset.sha256()
