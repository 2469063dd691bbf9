"""What is made of a scan: peaks, their distance from known sites, files and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pyBigWig
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnalm.errors import InputError
from dnalm.files import picture_bytes
from dnalm.tracks import Peak, Track, agreement, call_peaks, nearest_sites, write_track
from dnalm.tracks.export import bedgraph_text, to_frame
from dnalm.tracks.picture import draw, shown_at, write_picture


@dataclass(frozen=True)
class Site:
    """Stands for dnalm.annotation.Site: these functions read its fields only."""

    record: str
    position: int
    strand: str
    name: str = ""


@dataclass(frozen=True)
class Gene:
    record: str
    start: int
    end: int
    strand: str
    name: str
    kind: str = "CDS"


def track(forward=None, reverse=None, *, start=100, stride=1, record_length=1000, record="chr"):
    some = forward if forward is not None else reverse
    positions = np.arange(start, start + stride * len(some), stride)
    as_scores = {
        name: None if values is None else np.array(values, dtype=np.float32)
        for name, values in {"forward": forward, "reverse": reverse}.items()
    }
    end = start + stride * len(some)
    return Track(record, start, end, stride, 20, positions, **as_scores, model="toy", record_length=record_length)


def test_peaks_are_local_maxima_over_the_threshold():
    scores = [0.9, 0.1, 0.2, 0.6, 0.3, 0.4, 0.45, 0.1, np.nan, 0.8]
    peaks = call_peaks(track(scores, [0, 1, 0, 0, 0, 0, 0, 0, 0, 0]), 0.5, distance=1)
    assert [(peak.position, peak.strand) for peak in peaks] == [
        (100, "+"),
        (101, "-"),
        (103, "+"),
        (109, "+"),
    ]
    assert str(peaks[0]) == "chr:101(+)"
    assert peaks[2].probability == pytest.approx(0.6)


def test_of_two_near_peaks_the_higher_is_kept_and_distance_is_in_bases():
    scores = [0, 0.7, 0, 0.8, 0, 0, 0, 0.6, 0]
    assert [p.position for p in call_peaks(track(scores, stride=10), 0.5, distance=30)] == [130, 170]
    assert [p.position for p in call_peaks(track(scores, stride=10), 0.5, distance=20)] == [110, 130, 170]


def test_a_peak_past_the_origin_is_where_the_record_has_it():
    peaks = call_peaks(track([0, 0, 0, 1, 0], start=998, record_length=1000), 0.5)
    assert peaks[0].position == 1


@pytest.mark.parametrize(("options", "words"), [((1.2,), "threshold is 1.2"), ((-1,), "threshold is -1")])
def test_a_threshold_is_a_probability(options, words):
    with pytest.raises(InputError, match=words):
        call_peaks(track([0.1]), *options)


def test_offsets_are_positive_downstream_on_either_strand():
    sites = [Site("chr", 110, "+", "a"), Site("chr", 200, "-", "b"), Site("other", 111, "+")]
    peaks = [Peak("chr", 113, "+", 1), Peak("chr", 195, "-", 1), Peak("chr", 205, "-", 1)]
    matches = nearest_sites(peaks, sites)
    assert [(m.site.name, m.offset) for m in matches] == [("a", 3), ("b", 5), ("b", -5)]
    alone = nearest_sites([Peak("chr", 1, "+", 1)], [Site("chr", 1, "-")])[0]
    assert (alone.site, alone.offset) == (None, None)


def test_distances_go_over_the_origin_of_a_circular_record():
    peak, site = Peak("chr", 3, "+", 1), Site("chr", 995, "+")
    assert nearest_sites([peak], [site], circular_length=1000)[0].offset == 8
    assert nearest_sites([peak], [site])[0].offset == -992


def test_agreement_counts_sites_found_and_calls_right():
    sites = [Site("chr", 100, "+"), Site("chr", 104, "+"), Site("chr", 500, "-")]
    peaks = [Peak("chr", 102, "+", 1), Peak("chr", 300, "+", 1), Peak("chr", 500, "+", 1)]
    result = agreement(peaks, sites, tolerance=2)
    assert (result.known, result.found, result.calls, result.right) == (3, 2, 3, 1)
    assert result.recall == pytest.approx(2 / 3)
    assert result.precision == pytest.approx(1 / 3)
    assert np.isnan(agreement([], []).recall)


def test_bedgraph_covers_to_the_next_site_and_leaves_out_sites_without_score():
    lines = bedgraph_text(track([0.5, np.nan, 1], [0, 0.25, 0], stride=10)).splitlines()
    assert lines[0].startswith('track type=bedGraph name="toy positive (+)"')
    assert lines[1:3] == ["chr\t100\t110\t0.5", "chr\t120\t130\t1"]
    assert lines[4:] == ["chr\t100\t110\t0", "chr\t110\t120\t-0.25", "chr\t120\t130\t0"]


def test_bigwig_of_each_strand_reads_back(tmp_path):
    forward = [0.5, np.nan, 1, 0.25]
    files = write_track(track(forward, [0, 0.1, 0.2, 0.3]), tmp_path / "scan.bw")
    assert [file.name for file in files] == ["scan.plus.bw", "scan.minus.bw"]
    with pyBigWig.open(str(files[0])) as plus, pyBigWig.open(str(files[1])) as minus:
        assert plus.chroms() == {"chr": 1000}
        np.testing.assert_array_equal(plus.values("chr", 99, 105, numpy=True), [np.nan, *forward, np.nan])
        np.testing.assert_allclose(minus.values("chr", 100, 104), [0, 0.1, 0.2, 0.3], rtol=1e-6)


def test_a_wrapped_region_is_written_in_the_records_own_order(tmp_path):
    wrapped = track([0.1, 0.2, 0.3, 0.4], start=994, stride=4, record_length=1000)
    assert wrapped.end == 1010
    rows = [line.split("\t")[1:3] for line in bedgraph_text(wrapped).splitlines()[1:]]
    assert rows == [["2", "6"], ["6", "10"], ["994", "998"], ["998", "1000"]]
    (file,) = write_track(wrapped, tmp_path / "w.bigwig")
    with pyBigWig.open(str(file)) as written:
        assert written.values("chr", 998, 1000) == pytest.approx([0.2, 0.2])
        assert written.values("chr", 2, 3) == pytest.approx([0.3])


def test_tables_count_from_zero_and_agree(tmp_path):
    scan = track([0.5, np.nan, 1], [0, 0.25, 0])
    write_track(scan, tmp_path / "scan.tsv")
    write_track(scan, tmp_path / "scan.parquet")
    text = pd.read_csv(tmp_path / "scan.tsv", sep="\t")
    assert text[["record", "position", "strand"]].to_numpy().tolist()[:3] == [
        ["chr", 100, "+"],
        ["chr", 102, "+"],
        ["chr", 100, "-"],
    ]
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "scan.parquet"), to_frame(scan))
    np.testing.assert_allclose(text["probability"], to_frame(scan)["probability"])


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    file = tmp_path / "scan.bw"
    file.write_text("before")
    with pytest.raises(InputError, match="no site of chr has a score"):
        write_track(track([np.nan, np.nan]), file)
    with pytest.raises(InputError, match=r"not \.wig"):
        write_track(track([0.5]), tmp_path / "scan.wig")
    assert [left.name for left in tmp_path.iterdir()] == ["scan.bw"]
    assert file.read_text() == "before"


def test_positions_and_genes_fall_on_the_axis_of_a_wrapped_region():
    wrapped = track([0.1] * 20, start=990, record_length=1000)
    assert [shown_at(p, wrapped) for p in (990, 5, 10, 989)] == [990, 1005, None, None]


def test_the_picture_holds_strands_known_starts_genes_and_text(tmp_path):
    scan = track([0.5, 0.9, 0.1], [0.2, 0.1, 0.7])
    options = {
        "sites": [Site("chr", 101, "+"), Site("chr", 5, "+")],
        "genes": [Gene("chr", 50, 102, "-", "abcD")],
        "peaks": call_peaks(scan, 0.6),
        "threshold": 0.6,
    }
    figure = draw(scan, title="Where <b>promoters</b> are", **options)
    svg = picture_bytes(figure, "svg")
    text = "".join(ElementTree.fromstring(svg).itertext())
    for words in ("Where <b>promoters</b> are", "known starts", "reverse strand", "called peaks", "abcD"):
        assert words in text
    assert svg == picture_bytes(draw(scan, title="Where <b>promoters</b> are", **options), "svg")
    assert write_picture(figure, tmp_path / "scan.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="png or svg"):
        picture_bytes(figure, "gif")


@given(
    st.lists(st.tuples(st.integers(0, 99), st.sampled_from("+-")), max_size=12),
    st.lists(st.tuples(st.integers(0, 99), st.sampled_from("+-")), max_size=12),
    st.sampled_from([None, 100]),
    st.integers(0, 30),
)
def test_nearest_sites_and_agreement_are_those_of_looking_at_every_pair(calls, known, circle, tolerance):
    peaks = [Peak("chr", position, strand, 1) for position, strand in calls]
    sites = [Site("chr", position, strand) for position, strand in known]

    def apart(peak, site):
        step = abs(peak.position - site.position)
        return min(step, circle - step) if circle else step

    pairs = {peak: [apart(peak, site) for site in sites if site.strand == peak.strand] for peak in peaks}
    for match in nearest_sites(peaks, sites, circular_length=circle):
        assert (match.site is None) == (not pairs[match.peak])
        if match.site:
            assert abs(match.offset) == min(pairs[match.peak]) == apart(match.peak, match.site)
    result = agreement(peaks, sites, tolerance=tolerance, circular_length=circle)
    assert result.right == sum(any(step <= tolerance for step in pairs[peak]) for peak in peaks)
    near = [any(p.strand == site.strand and apart(p, site) <= tolerance for p in peaks) for site in sites]
    assert result.found == sum(near)


def test_a_long_track_is_drawn_in_as_many_bins_as_there_are_columns():
    scores = np.zeros(200_000, dtype=np.float32)
    scores[123_456] = 0.875
    long = track(scores, record_length=200_000)
    svg = picture_bytes(draw(long, genes=[Gene("other", 1, 9, "+", "x")]), "svg")
    assert len(svg) < 1_000_000
    assert b"highest of 76 sites" in svg
    # The highest score stays, at its own place: the curve's point is where a mark of the same value would be.
    figure = draw(long)
    (curve, _) = figure.axes[0].collections
    corners = np.concatenate([path.vertices for path in curve.get_paths()])
    assert corners[corners[:, 1].argmax()].tolist() == [123_456 + long.start + 1, 0.875]
