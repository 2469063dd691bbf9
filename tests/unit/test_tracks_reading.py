"""What a scan wrote reads back as the track that it was, in every format."""

from __future__ import annotations

import gzip
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dnalm.errors import InputError
from dnalm.tracks import Track, write_track
from dnalm.tracks.reading import is_track_file, read_tracks


def track(forward, reverse=None, *, start=100, stride=1, length=1000, record="chr"):
    scores = {
        name: None if values is None else np.array(values, dtype=np.float32)
        for name, values in {"forward": forward, "reverse": reverse}.items()
    }
    positions = np.arange(start, start + stride * len(forward), stride)
    end = start + stride * len(forward)
    return Track(record, start, end, stride, 20, positions, **scores, model="toy", record_length=length)


FORWARD = [0.5, 0.25, np.nan, 1, 0.125]
REVERSE = [0.75, 0, 0.3, 0.2, 0.1]


@pytest.mark.parametrize("suffix", [".tsv", ".parquet", ".bedgraph", ".bw"])
@pytest.mark.parametrize("stride", [1, 50])
def test_a_track_reads_back(tmp_path, suffix: str, stride: int) -> None:
    written = track(FORWARD, REVERSE, stride=stride)
    files = write_track(written, tmp_path / f"scan{suffix}")
    for name in {tmp_path / f"scan{suffix}", *files}:
        (found,) = read_tracks(name, lengths={"chr": 1000})
        assert (found.record, found.stride, found.model, found.record_length) == ("chr", stride, "scan", 1000)
        np.testing.assert_array_equal(found.positions, written.positions)
        np.testing.assert_array_equal(found.forward, written.forward)
        np.testing.assert_array_equal(found.reverse, written.reverse)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(
    st.lists(st.one_of(st.just(0.5), st.floats(0, 1, width=32), st.just(float("nan"))), min_size=2, max_size=30),
    st.sampled_from([1, 3, 7]),
    st.sampled_from([".tsv", ".parquet", ".bedgraph", ".bw"]),
)
def test_scores_come_back_at_their_places(tmp_path, values: list[float], stride: int, suffix: str) -> None:
    values = [0.25, *values, 0.75]
    (found,) = read_tracks(write_track(track(values, stride=stride), tmp_path / f"one{suffix}")[0])
    scored = {
        int(position): float(score)
        for position, score in zip(found.positions, found.forward, strict=True)
        if score == score
    }
    expected = np.array(values, dtype=np.float32)
    assert scored == {100 + stride * n: float(v) for n, v in enumerate(expected) if v == v}
    assert found.reverse is None


def test_several_records_and_a_wrapped_region(tmp_path) -> None:
    tracks = [track(FORWARD, REVERSE), track(REVERSE, FORWARD, start=998, record="plasmid")]
    for suffix in (".tsv", ".bedgraph", ".bw"):
        first, second = read_tracks(write_track(tracks, tmp_path / f"two{suffix}")[0], lengths={"plasmid": 1000})
        np.testing.assert_array_equal(first.forward, tracks[0].forward)
        # Over the origin: bases 998, 999, 0, 1, 2.
        assert (second.start, second.end) == (0, 1000)
        np.testing.assert_array_equal(second.forward[[998, 999, 0, 1, 2]], tracks[1].forward)
        assert np.isnan(second.forward[3:998]).all()


@pytest.mark.parametrize("suffix", [".bedgraph", ".tsv"])
def test_sites_further_apart_than_a_base_come_back_over_the_origin(tmp_path, suffix: str) -> None:
    # Sites 973, 983, 993 and 3; the scan ended at base 8, half way through the last.
    one = track([0.1, 0.2, 0.3, 0.4], None, start=973, stride=10, record="plasmid")
    one = replace(one, end=1_008)
    (back,) = read_tracks(write_track([one], tmp_path / f"o{suffix}")[0], lengths={"plasmid": 1000})
    scored = np.flatnonzero(~np.isnan(back.forward))
    assert dict(zip(back.positions[scored].tolist(), back.forward[scored].tolist(), strict=True)) == pytest.approx(
        {973: 0.1, 983: 0.2, 993: 0.3, 3: 0.4}
    )


@pytest.mark.parametrize("suffix", [".bw", ".bedgraph", ".tsv"])
def test_the_reverse_strand_alone_comes_back_as_the_reverse_strand(tmp_path, suffix: str) -> None:
    (file,) = write_track(replace(track([0, 0], [0.5, 0.25]), forward=None), tmp_path / f"x{suffix}")
    (found,) = read_tracks(file)
    assert found.forward is None
    assert found.reverse.tolist() == [0.5, 0.25]
    again = read_tracks(tmp_path / f"x{suffix}")  # the name that was asked for finds it too
    assert again[0].forward is None


def test_one_strand_alone_and_what_other_programs_write(tmp_path) -> None:
    (file,) = write_track(track(FORWARD), tmp_path / "alone.bw")
    assert read_tracks(file)[0].reverse is None
    assert read_tracks(file, strand="-")[0].forward is None
    plain = tmp_path / "other.bedgraph.gz"
    with gzip.open(plain, "wt") as text:
        text.write("#made elsewhere\nchr 0 3 0.5\nchr 3 5 0.75\nchr 5 6 1\n")
    (found,) = read_tracks(plain)
    assert found.forward.tolist() == [0.5, 0.5, 0.5, 0.75, 0.75, 1]
    assert found.model == "other"
    (tmp_path / "below.bg").write_text("chr\t0\t1\t-0.5\nchr\t1\t2\t0\n")
    assert read_tracks(tmp_path / "below.bg")[0].reverse.tolist() == [0.5, 0]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("x.txt", "", "a track ends in"),
        ("x.tsv", "record\tposition\n", "strand is missing"),
        ("x.tsv", "record\tposition\tstrand\tprobability\n", "holds no score"),
        ("x.tsv", "record\tposition\tstrand\tprobability\nc\t1\t?\t.5\n", "the strand of c is '[?]'"),
        ("x.tsv", "record\tposition\tstrand\tprobability\nc\t1\t+\t.5\nc\t1\t+\t.6\n", "two scores"),
        ("x.tsv", "record\tposition\tstrand\tprobability\nc\tone\t+\t.5\n", "are to be numbers"),
        ("x.bedgraph", "c\t1\tx\t2\n", "not bedGraph"),
        ("x.bw", "hello", "cannot be read as a bigWig"),
    ],
)
def test_what_is_no_track_is_told(tmp_path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=words):
        read_tracks(tmp_path / name)


def test_names_say_whether_they_are_tracks(tmp_path) -> None:
    assert is_track_file("a/b.BW")
    assert is_track_file("b.bedgraph.gz")
    assert not is_track_file("ecoli-tss")
    assert not is_track_file("genome.fna.gz")
    with pytest.raises(InputError, match="is not there"):
        read_tracks(tmp_path / "no.bw")
    with pytest.raises(InputError, match="beyond its 50 bases"):
        read_tracks(write_track(track(FORWARD), tmp_path / "t.tsv")[0], lengths={"chr": 50})
