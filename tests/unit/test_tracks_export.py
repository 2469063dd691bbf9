"""Tracks and peaks as files, read back by readers that are not dnalm's."""

from __future__ import annotations

import io
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pyBigWig
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.annotation import Gene, Site, read_genes, read_sites
from dnalm.errors import InputError, RunError
from dnalm.tracks import Peak, Track, export
from dnalm.tracks.export import bedgraph_text, bigwig_strand, to_frame, write_track
from dnalm.tracks.export_peaks import bed_text, genes_gff3, gff3_text, narrowpeak_text, sites_bed, write_peaks
from dnalm.tracks.wig import wig_text, write_wig

LENGTH = 400


def track(forward, reverse=None, *, start=0, stride=1, length=LENGTH, record="chr"):
    scores = [None if some is None else np.array(some, dtype=np.float32) for some in (forward, reverse)]
    count = len(next(some for some in scores if some is not None))
    positions = np.arange(start, start + stride * count, stride)
    return Track(
        record, start, start + stride * count, stride, 20, positions, *scores, model="toy", record_length=length
    )


def values(path: Path, record: str = "chr", length: int = LENGTH) -> np.ndarray:
    with pyBigWig.open(str(path)) as file:
        return file.values(record, 0, length, numpy=True)


def expected(tracks: list[Track], strand: str, length: int = LENGTH) -> np.ndarray:
    """What each base of a record should hold, base by base."""
    found = np.full(length, np.nan)
    for one in tracks:
        for position, score in zip(one.positions.tolist(), one.strands()[strand].tolist(), strict=True):
            for base in range(position, min(position + one.stride, one.end)):
                if position // length == base // length:
                    found[base % length] = score
    return found


scores = st.floats(0, 1, width=32) | st.just(float("nan"))


@st.composite
def tracks_of_a_circle(draw):
    stride = draw(st.integers(1, 7))
    count = draw(st.integers(1, LENGTH // stride))
    start = draw(st.integers(0, LENGTH - 1))
    forward = draw(st.lists(scores, min_size=count, max_size=count))
    return track(forward, start=start, stride=stride)


@settings(deadline=None, max_examples=60)
@given(tracks_of_a_circle())
def test_every_base_reads_back_from_bigwig_bedgraph_and_table(tmp_path_factory, one):
    wanted = expected([one], "+")
    rows = [line.split("\t") for line in bedgraph_text(one).splitlines()[1:]]
    found = np.full(LENGTH, np.nan)
    for _, start, end, value in rows:
        assert np.isnan(found[int(start) : int(end)]).all()
        found[int(start) : int(end)] = float(value)
    np.testing.assert_array_equal(found.astype(np.float32), wanted.astype(np.float32))
    assert [int(row[1]) for row in rows] == sorted(int(row[1]) for row in rows)
    frame = to_frame(one)
    kept = ~np.isnan(one.forward)
    assert sorted(frame["position"]) == frame["position"].tolist() == sorted(one.wrapped[kept].tolist())
    path = tmp_path_factory.mktemp("bw") / "t.bw"
    if kept.any():
        write_track(one, path)
        np.testing.assert_array_equal(values(path), wanted.astype(np.float32))
    else:
        with pytest.raises(InputError, match="no site of chr has a score"):
            write_track(one, path)


def test_many_records_go_to_one_file_of_each_format(tmp_path):
    several = [
        track([0.1, 0.2], [0.3, np.nan], record="chr2", length=50),
        track([0.4, 0.5, 0.6], [0.7, 0.8, 0.9], record="chr10", length=60, start=5),
        track([np.nan, np.nan], [1, 0], record="plasmid", length=70),
    ]
    plus, minus = write_track(several, tmp_path / "all.bw")
    with pyBigWig.open(str(plus)) as file:
        assert file.chroms() == {"chr2": 50, "chr10": 60}
        assert file.values("chr10", 5, 8) == pytest.approx([0.4, 0.5, 0.6])
        assert file.values("chr2", 0, 2) == pytest.approx([0.1, 0.2])
    with pyBigWig.open(str(minus)) as file:
        assert file.values("plasmid", 0, 2) == [1, 0]
    write_track(several, tmp_path / "all.tsv")
    write_track(several, tmp_path / "all.parquet")
    write_track(several, tmp_path / "all.bedgraph")
    table = pd.read_csv(tmp_path / "all.tsv", sep="\t")
    assert table["record"].tolist() == ["chr2"] * 3 + ["chr10"] * 6 + ["plasmid"] * 2
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "all.parquet"), to_frame(several))
    np.testing.assert_array_equal(table["probability"].astype(np.float32), to_frame(several)["probability"])
    lines = (tmp_path / "all.bedgraph").read_text().splitlines()
    assert [line.split('"')[1] for line in lines if line.startswith("track")] == [
        "toy positive (+)",
        "toy positive (-)",
    ]


def test_the_pieces_of_a_scan_are_one_track_whatever_their_order(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_STRETCH", 3)
    rng = np.random.default_rng(0)
    whole = track(rng.random(LENGTH, dtype=np.float32), rng.random(LENGTH, dtype=np.float32), start=130)
    cut = [130, 200, 399, 431, 530]
    pieces = [
        track(whole.forward[a - 130 : b - 130], whole.reverse[a - 130 : b - 130], start=a) for a, b in pairwise(cut)
    ]
    write_track(whole, tmp_path / "whole.bw")
    write_track(pieces[::-1], tmp_path / "pieces.bw")
    for strand in ("plus", "minus"):
        np.testing.assert_array_equal(values(tmp_path / f"pieces.{strand}.bw"), values(tmp_path / f"whole.{strand}.bw"))
    assert bedgraph_text(pieces) == bedgraph_text(whole)


def test_two_tracks_of_the_same_bases_are_refused():
    with pytest.raises(InputError, match="two tracks of chr score the same bases"):
        to_frame([track([0.1] * 10), track([0.2] * 10, start=9)])


def test_the_last_site_speaks_of_the_bases_up_to_the_regions_end():
    one = track([0.5, 0.25], stride=10, start=390)
    assert bedgraph_text(one).splitlines()[1:] == ["chr\t0\t10\t0.25", "chr\t390\t400\t0.5"]


def test_a_rounded_bigwig_is_smaller_and_equal_to_its_digits(tmp_path):
    rng = np.random.default_rng(1)
    low = rng.random(20_000, dtype=np.float32) * np.float32(1e-4)
    low[::100] = rng.random(200, dtype=np.float32)
    low[50:60] = np.nan
    one = track(low, length=20_000)
    exact, rounded = tmp_path / "exact.bw", tmp_path / "rounded.bw"
    bigwig_strand(one, "+", exact)
    bigwig_strand(one, "+", rounded, decimals=3)
    np.testing.assert_array_equal(values(rounded, length=20_000), np.round(low, 3))
    assert rounded.stat().st_size < exact.stat().st_size / 5


def test_a_bigwig_that_breaks_off_leaves_the_old_files_and_says_so(tmp_path, monkeypatch):
    (tmp_path / "t.plus.bw").write_text("before")
    one = track([0.5] * 10, [0.5] * 10)

    def broken(self, strand):
        yield np.array([0]), np.array([1]), np.array([0.5], dtype=np.float32)
        if strand == "-":
            raise OSError("gone")

    monkeypatch.setattr(export._Run, "scored", broken)
    with pytest.raises(RunError, match=r"t\.bw: could not be written whole \(gone\)"):
        write_track(one, tmp_path / "t.bw")
    assert [path.name for path in tmp_path.iterdir()] == ["t.plus.bw"]
    assert (tmp_path / "t.plus.bw").read_text() == "before"


PEAKS = [
    Peak("chr", 99, "+", 0.98765, prominence=0.5, q=0.001),
    Peak("chr", 9, "-", 0.5),
    Peak("we;ird=1", 0, "+", 1.0, q=0.0),
]


def test_peaks_as_bed_are_one_base_wide_sorted_and_coloured_by_strand():
    header, *rows = bed_text(PEAKS, "my model").splitlines()
    assert header == 'track name="my model peaks" itemRgb="On" useScore="0"'
    frame = pd.read_csv(io.StringIO("\n".join(rows)), sep="\t", header=None)
    assert frame[[0, 1, 2, 4, 5]].to_numpy().tolist() == [
        ["chr", 9, 10, 500, "-"],
        ["chr", 99, 100, 988, "+"],
        ["we;ird=1", 0, 1, 1000, "+"],
    ]
    assert frame[8].tolist() == ["140,91,181", "0,114,178", "0,114,178"]
    assert frame[3].is_unique


def test_peaks_as_narrowpeak_keep_probability_and_q():
    rows = [line.split("\t") for line in narrowpeak_text(PEAKS, "toy").splitlines()]
    assert all(len(row) == 10 for row in rows)
    assert [float(row[6]) for row in rows] == [0.5, 0.98765, 1]
    assert [float(row[8]) for row in rows] == [-1, 3, 300]
    assert {row[9] for row in rows} == {"0"}


def parse_gff3(text: str) -> list[dict]:
    """GFF3 as its specification says, and nothing more."""
    lines = text.splitlines()
    assert lines[0] == "##gff-version 3"
    found = []
    for line in lines:
        if line.startswith("#"):
            continue
        seqid, source, kind, start, end, score, strand, phase, attributes = line.split("\t")
        pairs = (pair.split("=") for pair in attributes.split(";"))
        found.append(
            {
                **{"seqid": unquote(seqid), "source": unquote(source), "kind": kind, "strand": strand, "phase": phase},
                **{"start": int(start), "end": int(end), "score": None if score == "." else float(score)},
                "attributes": {unquote(name): unquote(value) for name, value in pairs},
            }
        )
    return found


def test_peaks_as_gff3_count_from_one_and_keep_what_is_known():
    rows = parse_gff3(gff3_text(PEAKS, "a model", lengths={"chr": 100, "we;ird=1": 5}))
    assert [(row["seqid"], row["start"], row["end"], row["strand"], row["score"]) for row in rows] == [
        ("chr", 10, 10, "-", 0.5),
        ("chr", 100, 100, "+", 0.98765),
        ("we;ird=1", 1, 1, "+", 1),
    ]
    assert {row["source"] for row in rows} == {"a model"}
    assert rows[0]["attributes"].keys() == {"ID", "Name", "probability"}
    assert rows[1]["attributes"]["prominence"] == "0.5"
    assert float(rows[1]["attributes"]["q_value"]) == 0.001
    assert rows[1]["attributes"]["Name"] == "chr:100(+)"
    assert "##sequence-region chr 1 100" in gff3_text(PEAKS, lengths={"chr": 100})


@settings(deadline=None, max_examples=60)
@given(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1))
def test_any_name_survives_gff3(name):
    (row,) = parse_gff3(genes_gff3([Gene("chr", 3, 9, "+", name, "CDS")]))
    assert row["attributes"]["Name"] == name


def test_the_files_suffix_says_how_peaks_are_written(tmp_path):
    for name in ("p.bed", "p.narrowPeak", "p.gff3"):
        assert write_peaks(PEAKS, tmp_path / name) == [tmp_path / name]
    assert (tmp_path / "p.narrowPeak").read_text() == narrowpeak_text(PEAKS)
    with pytest.raises(InputError, match=r"not \.xls"):
        write_peaks(PEAKS, tmp_path / "p.xls")
    assert len(list(tmp_path.iterdir())) == 3


def test_genes_and_sites_read_back_as_they_were(tmp_path):
    genes = [
        Gene("chr", 10, 100, "+", "abcA", "CDS"),
        Gene("chr", 350, 450, "-", "ori;gin", "CDS", circle=LENGTH),
        Gene("chr", 200, 260, "-", "abcB", "CDS"),
    ]
    path = tmp_path / "genes.gff3"
    path.write_text(genes_gff3(genes, lengths={"chr": LENGTH}))
    rows = defaultdict(list)
    for row in parse_gff3(path.read_text()):
        rows[row["attributes"]["ID"]].append((row["start"], row["end"]))
        assert 1 <= row["start"] <= row["end"] <= LENGTH
    assert list(rows.values()) == [[(11, 100)], [(201, 260)], [(351, 400), (1, 50)]]
    assert [(gene.name, gene.start, gene.end) for gene in read_genes(path)][:2] == [
        ("abcA", 10, 100),
        ("abcB", 200, 260),
    ]
    sites = [Site("chr", 42, "-", "p1"), Site("chr", 7, "+", "")]
    (tmp_path / "s.bed").write_text(sites_bed(sites))
    found = {(site.position, site.strand) for site in read_sites(tmp_path / "s.bed")}
    assert found == {(7, "+"), (42, "-")}


def read_wig(text: str) -> dict[int, float]:
    """Values by 0-based position, of a wig of fixed steps of one base."""
    found, place = {}, 0
    for line in text.splitlines()[1:]:
        if line.startswith("fixedStep"):
            fields = dict(pair.split("=") for pair in line.split()[1:])
            assert (fields["chrom"], fields["step"], fields["span"]) == ("chr", "1", "1")
            place = int(fields["start"]) - 1
        else:
            found[place] = float(line)
            place += 1
    return found


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(-5, 5, width=32) | st.just(float("nan")), max_size=60), st.integers(0, 99))
def test_a_wig_holds_each_bases_value_and_goes_round_the_circle(values, start):
    text = wig_text("chr", start, np.array(values), name="saliency", record_length=100)
    wanted = {(start + at) % 100: value for at, value in enumerate(values) if not np.isnan(value)}
    assert read_wig(text) == pytest.approx(wanted, rel=1e-5, abs=1e-9)


def test_a_wig_says_what_does_not_fit(tmp_path):
    with pytest.raises(InputError, match="one value a base"):
        wig_text("chr", 0, np.zeros((3, 4)), name="x")
    with pytest.raises(InputError, match="one word"):
        wig_text("chr 1", 0, np.zeros(3), name="x")
    path = write_wig(tmp_path / "s.wig", "chr", 10, np.array([1.5, -2]), name='a "b"')
    assert path.read_text().startswith("track type=wiggle_0 name=\"a 'b'\"")
    assert read_wig(path.read_text()) == {10: 1.5, 11: -2}
