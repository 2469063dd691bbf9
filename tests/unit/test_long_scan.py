"""A scan kept in pieces: stopped and gone on with, shared out, joined; its files are those of the whole track."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pybigtools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_track import MOTIF, motif_tracks, track_bundle

from dnalm import load
from dnalm.alphabet import decode
from dnalm.errors import InputError, RunError
from dnalm.sequences import Record, Region, read_records
from dnalm.tracks import Track, call_peaks, gather, scan, write_track
from dnalm.tracks.calling import PeakCaller
from dnalm.tracks.genome import copy_codes
from dnalm.tracks.long_scan import LongScan, Means
from dnalm.tracks.parts import Parts, parts_folder
from dnalm.tracks.scan import ScanOptions
from dnalm.tracks.store import record_digest
from dnalm.tracks.writers import open_writer
from dnalm.tracks.written import write_scan

OPTIONS = ScanOptions(chunk=40)  # pieces of 640 bases
LENGTHS = {"long": 3_000, "short": 700, "tiny": 30}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load(track_bundle(tmp_path_factory.mktemp("models") / "motif", motif_tracks()).folder)


@pytest.fixture(scope="module")
def genome(tmp_path_factory) -> Path:
    """Three records, the middle one a circle, with a stretch of N and some motifs in the first."""
    random = np.random.default_rng(5)
    path = tmp_path_factory.mktemp("genome") / "genome.fna"
    with path.open("w") as file:
        for name, length in LENGTHS.items():
            text = decode(random.integers(0, 4, length).astype(np.uint8))
            if name == "long":
                text = f"{text[:900]}{MOTIF}{text[906:1000]}{'N' * 300}{text[1300:2000]}{MOTIF}{text[2006:]}"
            circle = " circular=true" if name == "short" else ""
            file.write(f">{name}{circle}\n{text}\n")
    return path


def opening(path):
    return lambda lengths, strands, folder: open_writer(path, lengths, strands, folder=folder)


def write(long_scan, path, **how):
    return write_scan(long_scan, opening(path), threshold=0.5, **how)


def broken(after: int):
    """A progress that fails once so many scores are done."""

    def report(done, total):
        if done >= after:
            raise RunError("stopped")

    return report


def test_a_genome_in_a_flat_file_is_what_the_reader_gives(genome, tmp_path):
    file = copy_codes(genome, tmp_path / "codes")
    for index, record in enumerate(read_records(genome)):
        entry, same = file.entries[index], file.record(index)
        assert (entry.id, entry.length, same.circular) == (record.id, len(record), record.circular)
        np.testing.assert_array_equal(same.codes, record.codes)
        assert entry.digest == record_digest(record)
    one = copy_codes(genome, tmp_path / "codes", only="short", circular=False)
    assert [(entry.id, entry.circular, entry.offset) for entry in one.entries] == [("short", False, 0)]
    with pytest.raises(InputError, match="has no record other; it has long, short, tiny"):
        copy_codes(genome, tmp_path / "codes", only="other")


@pytest.mark.parametrize("suffix", [".bedgraph", ".tsv", ".parquet", ".bw"])
@pytest.mark.parametrize("how", [{}, {"stride": 7, "strand": "-"}, {"mode": "window", "stride": 3}])
def test_the_files_are_those_of_the_whole_tracks(model, genome, tmp_path, suffix, how):
    with LongScan(model, genome, tmp_path / "parts", options=ScanOptions(chunk=40, **how)) as long_scan:
        files, records = write(long_scan, tmp_path / f"pieces{suffix}")
        assert {one.record for one in records} == LENGTHS.keys() - set(long_scan.left_out)
    tracks = [
        gather(scan(model, record, chunk=40, **how))
        for record in read_records(genome)
        if record.id not in long_scan.left_out
    ]
    expected = write_track(tracks, tmp_path / f"whole{suffix}")
    assert [path.name for path in files] == [path.name.replace("whole", "pieces") for path in expected]
    for one, other in zip(files, expected, strict=True):
        if suffix == ".parquet":
            pd.testing.assert_frame_equal(pd.read_parquet(one), pd.read_parquet(other))
        elif suffix in (".bw", ".bigwig"):
            with pybigtools.open(str(one)) as mine, pybigtools.open(str(other)) as theirs:
                assert mine.chroms() == theirs.chroms()
                for name in mine.chroms():
                    assert list(mine.records(name)) == list(theirs.records(name))
        else:
            assert one.read_text() == other.read_text()
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in [*files, *expected]}


@pytest.mark.parametrize("suffix", [".bedgraph", ".tsv", ".bw", ".parquet"])
def test_a_region_over_the_origin_is_written_in_the_record_s_order(model, genome, tmp_path, suffix):
    region = Region("short", 500, 1_100)
    with LongScan(model, genome, tmp_path / "parts", region, OPTIONS) as long_scan:
        files, records = write(long_scan, tmp_path / f"pieces{suffix}")
    record = next(one for one in read_records(genome) if one.id == "short")
    expected = write_track(gather(scan(model, record, region=region, chunk=40)), tmp_path / f"whole{suffix}")
    if suffix in (".bedgraph", ".tsv"):
        assert files[0].read_text() == expected[0].read_text()
    elif suffix == ".parquet":
        pd.testing.assert_frame_equal(pd.read_parquet(files[0]), pd.read_parquet(expected[0]))
    else:
        with pybigtools.open(str(files[0])) as mine, pybigtools.open(str(expected[0])) as theirs:
            assert list(mine.records("short")) == list(theirs.records("short"))
    assert (records[0].start, records[0].end, records[0].sites) == (500, 1_100, 600)


def test_a_scan_that_was_stopped_goes_on_with_what_it_had(model, genome, tmp_path):
    output = tmp_path / "out.bedgraph"
    folder = parts_folder(output)
    with pytest.raises(RunError), LongScan(model, genome, folder, options=OPTIONS) as long_scan:
        write(long_scan, output, progress=broken(3_000))
    assert not output.exists()
    kept = Parts.there(folder)
    assert len(kept) == 2
    stamps = {path: path.stat().st_mtime_ns for path in folder.glob("*.npz")}
    damaged = min(stamps)
    damaged.write_bytes(damaged.read_bytes()[:50])
    seen = []
    with LongScan(model, genome, folder, options=OPTIONS) as long_scan:
        assert len(long_scan.missing()) == len(long_scan.works) - 2
        told = write(long_scan, output, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (long_scan.windows, long_scan.windows)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert not folder.exists()
    with LongScan(model, genome, tmp_path / "other", options=OPTIONS) as long_scan:
        same = write(long_scan, tmp_path / "same.bedgraph")
    assert output.read_bytes() == (tmp_path / "same.bedgraph").read_bytes()
    assert told[1] == same[1]
    assert [(peak.position, peak.strand) for peak in same[1][0].peaks if peak.strand == "+"] == [
        (900, "+"),
        (2_000, "+"),
    ]


def test_pieces_of_another_scan_are_not_taken_and_fresh_removes_them(model, genome, tmp_path):
    folder = tmp_path / "parts"
    with pytest.raises(RunError), LongScan(model, genome, folder, options=OPTIONS) as long_scan:
        list(long_scan.pieces(broken(3_000)))
    for options, region, words in [
        (ScanOptions(chunk=40, stride=3), None, r"of another kind \(stride 1, not 3\): .* --fresh"),
        (OPTIONS, Region("long", 0, 2_000), "of another"),
        (ScanOptions(chunk=40, mode="window"), None, "mode stream, not window"),
    ]:
        with pytest.raises(InputError, match=words), LongScan(model, genome, folder, region, options):
            pass
    (tmp_path / "other.fna").write_text(genome.read_text().replace(">tiny", ">wee"))
    with pytest.raises(InputError, match="of another sequence"):
        LongScan(model, tmp_path / "other.fna", folder, options=OPTIONS).__enter__()
    with LongScan(model, genome, folder, options=ScanOptions(chunk=80), means=Means(fresh=True)) as long_scan:
        assert len(long_scan.missing()) == len(long_scan.works)
    assert not folder.exists()


def test_shares_cover_the_work_once_and_are_joined(model, genome, tmp_path):
    folder = tmp_path / "parts"
    counts = []
    for part in (3, 1):
        with LongScan(model, genome, folder, options=OPTIONS, means=Means(part=(part, 3))) as long_scan:
            counts.append(long_scan.score_part())
    with LongScan(model, genome, folder, options=OPTIONS) as long_scan:
        assert sum(counts) + len(long_scan.missing()) == len(long_scan.works)
        assert long_scan.missing()
        sizes = [sum(work.windows for work in long_scan._share())]
        assert sizes == [long_scan.windows]
    with LongScan(model, genome, folder, options=OPTIONS, means=Means(part=(2, 3))) as long_scan:
        seen = []
        long_scan.score_part(lambda done, total: seen.append((done, total)))
        assert seen[-1][0] == seen[-1][1] < long_scan.windows
    with LongScan(model, genome, folder, options=OPTIONS) as long_scan:
        assert not long_scan.missing()
        long_scan.model = None  # nothing is scored any more
        write(long_scan, tmp_path / "joined.tsv")
    with LongScan(model, genome, None, options=OPTIONS) as long_scan:
        write(long_scan, tmp_path / "whole.tsv")
    assert (tmp_path / "joined.tsv").read_bytes() == (tmp_path / "whole.tsv").read_bytes()


@settings(max_examples=50, deadline=None)
@given(parts=st.integers(1, 40))
def test_shares_are_equal_to_a_piece(model, genome, parts):
    with LongScan(model, genome, options=OPTIONS) as long_scan:
        shares = []
        for part in range(1, parts + 1):
            long_scan.means = Means(part=(part, parts))
            shares.append(long_scan._share())
        assert list(itertools.chain.from_iterable(shares)) == long_scan.works
        largest = max(work.windows for work in long_scan.works)
        fair = long_scan.windows / parts
        assert all(abs(sum(work.windows for work in share) - fair) <= largest for share in shares)


def test_two_processes_are_not_at_one_share(model, genome, tmp_path):
    folder = tmp_path / "parts"
    with LongScan(model, genome, folder, options=OPTIONS, means=Means(part=(1, 2))) as one:
        with pytest.raises(InputError, match="another process is at this scan"):
            LongScan(model, genome, folder, options=OPTIONS, means=Means(part=(1, 2))).__enter__()
        with pytest.raises(InputError, match="another process is at this scan"):
            LongScan(model, genome, folder, options=OPTIONS).__enter__()
        with LongScan(model, genome, folder, options=OPTIONS, means=Means(part=(2, 2))) as two:
            assert one.score_part() + two.score_part() == len(one.works)


def test_what_cannot_be_is_refused(model, genome, tmp_path):
    for means in ({"processes": 0}, {"part": (3, 2)}, {"part": (1, 2), "fresh": True}):
        with pytest.raises(InputError):
            Means(**means)
    with pytest.raises(InputError, match="no record has 61 bases"):
        (tmp_path / "tiny.fna").write_text(">tiny\nACGT\n")
        LongScan(model, tmp_path / "tiny.fna", tmp_path / "parts", options=ScanOptions(mode="window")).__enter__()
    assert not (tmp_path / "parts").exists()
    with pytest.raises(InputError, match="a scan is written as"):
        open_writer(tmp_path / "x.doc", {}, "+")


def test_a_scan_without_a_score_writes_no_bigwig(model, tmp_path):
    (tmp_path / "n.fna").write_text(f">n\n{'N' * 500}\n")
    with LongScan(model, tmp_path / "n.fna", tmp_path / "parts", options=OPTIONS) as long_scan:
        with pytest.raises(InputError, match="no site of n has a score"):
            write(long_scan, tmp_path / "n.bw")
        files, _ = write(long_scan, tmp_path / "n.tsv")
    assert files[0].read_text() == "record\tposition\tstrand\tprobability\n"
    assert not list(tmp_path.glob("*.bw"))


def test_records_shorter_than_a_window_are_left_out(model, genome, tmp_path):
    with LongScan(model, genome, options=ScanOptions(mode="window", stride=9)) as long_scan:
        assert long_scan.left_out == ["tiny"]
        assert list(long_scan.lengths) == ["long", "short"]
    with pytest.raises(InputError, match="tiny has 30 bases; motif needs at least 61"):
        LongScan(model, genome, region=Region("tiny", 0, 20), options=ScanOptions(mode="window")).__enter__()


def test_several_processes_give_the_same_file(model, genome, tmp_path, monkeypatch):
    monkeypatch.setitem(os.environ, "OMP_NUM_THREADS", "1")
    with LongScan(model, genome, tmp_path / "parts", options=OPTIONS, means=Means(processes=2)) as long_scan:
        two, _ = write(long_scan, tmp_path / "two.tsv")
    with LongScan(model, genome, None, options=OPTIONS) as long_scan:
        one, _ = write(long_scan, tmp_path / "one.tsv")
    assert one[0].read_bytes() == two[0].read_bytes()


@settings(max_examples=150, deadline=None)
@given(
    scores=st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.7, 0.8, 0.9, float("nan")]), min_size=1, max_size=120),
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=10),
    stride=st.integers(1, 3),
    distance=st.integers(1, 12),
    circular=st.booleans(),
    shift=st.integers(0, 50),
    seed=st.integers(0, 5),
)
def test_peaks_of_pieces_are_those_of_the_whole(scores, sizes, stride, distance, circular, shift, seed):
    ahead = np.array(scores, dtype=np.float32)
    back = np.random.default_rng(seed).permutation(ahead)
    length = len(ahead) * stride
    start = shift % length if circular else 0
    whole = track_of(ahead, back, start, stride, length)
    caller = PeakCaller(0.5, distance=distance, round=circular)
    at = 0
    for size in itertools.cycle(sizes):
        piece = slice(at, at + size)
        if at >= len(ahead):
            break
        caller.add(track_of(ahead[piece], back[piece], start + at * stride, stride, length))
        at += size
    expected = call_peaks(whole, 0.5, distance=distance, circular=circular)
    found = caller.finish()
    # Ties between equal heights too near to each other may fall either way; without them the calls are the same.
    known = sorted((peak.position, peak.strand, peak.probability) for peak in expected)
    assert sorted((peak.position, peak.strand, peak.probability) for peak in found) == known


def track_of(ahead, back, start, stride, length):
    return Track(
        record="r",
        start=start,
        end=start + len(ahead) * stride,
        stride=stride,
        window=1,
        positions=np.arange(start, start + len(ahead) * stride, stride, dtype=np.int64),
        forward=ahead,
        reverse=back,
        model="m",
        record_length=length,
    )


def test_what_is_over_the_threshold_everywhere_is_cut_all_the_same(monkeypatch):
    monkeypatch.setattr("dnalm.tracks.calling._MOST_SITES", 100)
    caller = PeakCaller(0.0, distance=3)
    random = np.random.default_rng(0)
    for start in range(0, 1_000, 50):
        ahead, back = random.random((2, 50)).astype(np.float32)
        caller.add(track_of(ahead, back, start, 1, 1_000))
        assert sum(map(len, caller._waiting)) <= 100
    assert 300 < len(caller.finish()) < 700


def test_a_circle_of_one_piece_without_a_peak(model):
    record = Record("r", np.zeros(50, dtype=np.uint8), circular=True)
    track = gather(scan(model, record))
    caller = PeakCaller(0.5, round=True)
    caller.add(track)
    assert caller.finish() == []
