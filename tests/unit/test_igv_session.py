"""What IGV opens: the sequence with its index, the tracks, and the session that names them."""

from __future__ import annotations

import io
import zipfile
from xml.etree import ElementTree

import numpy as np
import pyBigWig
import pytest
from Bio import SeqIO

from dnalm.alphabet import decode
from dnalm.annotation import Gene, Site
from dnalm.errors import InputError
from dnalm.sequences import Record, Region
from dnalm.tracks import Peak, Track
from dnalm.tracks.igv_session import Scanned, View, locus, rows, session_text, session_zip, write_fasta, write_session

LENGTH = 1234


@pytest.fixture
def record():
    return Record("chr", np.random.default_rng(0).integers(0, 5, LENGTH).astype(np.uint8), circular=True)


def track(record, start=100, count=300, model="toy"):
    rng = np.random.default_rng(1)
    forward, reverse = rng.random((2, count), dtype=np.float32)
    positions = np.arange(start, start + count)
    return Track(record.id, start, start + count, 1, 20, positions, forward, reverse, model, "start", len(record))


@pytest.fixture
def view(record):
    peaks = [Peak(record.id, 120, "+", 0.9), Peak(record.id, 150, "-", 0.8)]
    sites = [Site(record.id, 121, "+", "p1"), Site("other", 121, "+", "p2")]
    genes = [Gene(record.id, 200, 260, "-", "a<b>&c", "CDS"), Gene("other", 1, 9, "+", "x", "CDS")]
    return View(
        record, Region(record.id, 100, 400), [Scanned(track(record), peaks)], sites, 'Known "starts" & more', genes
    )


def test_the_session_names_files_that_are_there_and_the_region(view, tmp_path):
    path = write_session(view, tmp_path / "scan")
    root = ElementTree.parse(path).getroot()
    assert root.tag == "Session"
    assert {name: root.get(name) for name in ("version", "genome", "locus", "hasGeneTrack", "hasSequenceTrack")} == {
        "version": "8",
        "genome": "genome.fa",
        "locus": "chr:101-400",
        "hasGeneTrack": "false",
        "hasSequenceTrack": "true",
    }
    resources = [one.get("path") for one in root.iter("Resource")]
    assert resources == ["forward.bw", "reverse.bw", "peaks.bed", "starts.bed", "genes.gff3"]
    present = {one.name for one in path.parent.iterdir()}
    assert present == {*resources, "genome.fa", "genome.fa.fai", "session.xml"}
    tracks = {one.get("id"): one for one in root.iter("Track")}
    assert list(tracks) == ["forward.bw", "reverse.bw", "Reference sequence", "peaks.bed", "starts.bed", "genes.gff3"]
    ranges = [tracks[name].find("DataRange").attrib for name in ("forward.bw", "reverse.bw")]
    assert [(one["minimum"], one["maximum"], one["flipAxis"]) for one in ranges] == [
        ("0.0", "1.0", "false"),
        ("0.0", "1.0", "true"),
    ]
    assert tracks["starts.bed"].get("name") == 'Known "starts" & more'
    assert tracks["forward.bw"].get("color") == "0,114,178"
    assert tracks["peaks.bed"].get("color") is None
    assert root.find("PanelLayout") is not None


def test_the_files_hold_what_was_scanned(view, tmp_path):
    write_session(view, tmp_path / "scan")
    one = view.scans[0].track
    with pyBigWig.open(str(tmp_path / "scan" / "forward.bw")) as file:
        assert file.chroms() == {"chr": LENGTH}
        np.testing.assert_array_equal(file.values("chr", 100, 400, numpy=True), one.forward)
    genes = (tmp_path / "scan" / "genes.gff3").read_text().splitlines()
    assert len([line for line in genes if not line.startswith("#")]) == 1
    assert "p2" not in (tmp_path / "scan" / "starts.bed").read_text()


@pytest.mark.parametrize("length", [1, 79, 80, 81, 160, 1234])
def test_the_index_leads_to_every_base(tmp_path, monkeypatch, length):
    monkeypatch.setattr("dnalm.tracks.igv_session._LINES", 3)
    codes = np.random.default_rng(length).integers(0, 5, length).astype(np.uint8)
    record = Record("naïve.1", codes)
    write_fasta(record, tmp_path / "g.fa")
    (read,) = SeqIO.parse(tmp_path / "g.fa", "fasta")
    assert (read.id, str(read.seq)) == ("naïve.1", decode(codes))
    name, bases, offset, per_line, bytes_per_line = (tmp_path / "g.fa.fai").read_text().rstrip("\n").split("\t")
    assert (name, int(bases)) == ("naïve.1", length)
    content = (tmp_path / "g.fa").read_bytes()
    for base in {0, length // 2, length - 1, min(79, length - 1), min(80, length - 1)}:
        at = int(offset) + base // int(per_line) * int(bytes_per_line) + base % int(per_line)
        assert content[at : at + 1].decode() == decode(codes[base : base + 1])


def test_the_archive_holds_the_same_folder(view, tmp_path):
    archive = zipfile.ZipFile(io.BytesIO(session_zip(view, "my scan", tmp_path)))
    assert archive.testzip() is None
    write_session(view, tmp_path / "scan")
    for path in (tmp_path / "scan").iterdir():
        assert archive.read(f"my scan/{path.name}") == path.read_bytes()
    assert len(archive.namelist()) == 8
    assert [path.name for path in tmp_path.iterdir()] == ["scan"]


def test_several_models_are_told_apart(record):
    scans = [Scanned(track(record, model=name)) for name in ("one", "two")]
    found = rows(View(record, Region(record.id, 0, 10), scans))
    assert [(row.file, row.name) for row in found] == [
        ("1.forward.bw", "one, forward strand"),
        ("1.reverse.bw", "one, reverse strand"),
        ("2.forward.bw", "two, forward strand"),
        ("2.reverse.bw", "two, reverse strand"),
    ]


def test_what_is_empty_has_no_row(record):
    blank = track(record)
    blank.forward[:] = np.nan
    found = rows(View(record, Region(record.id, 0, 10), [Scanned(blank)]))
    assert [row.file for row in found] == ["reverse.bw"]


def test_the_digest_of_a_row_follows_its_content(view, record):
    first, again = (row.digest() for row in (rows(view)[0], rows(view)[0]))
    changed = View(record, view.region, [Scanned(track(record, start=101))])
    assert first == again != rows(changed)[0].digest()
    assert len({row.digest() for row in rows(view)}) == len(rows(view))


def test_the_part_before_the_origin_is_looked_at_first(record):
    assert locus(View(record, Region(record.id, LENGTH - 10, LENGTH + 50), [])) == "chr:1225-1234"


def test_what_does_not_fit_is_refused_and_nothing_is_left(view, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="these are of other"):
        View(view.record, Region("other", 0, 10), [])
    (tmp_path / "here").mkdir()
    with pytest.raises(InputError, match="is there already"):
        write_session(view, tmp_path / "here")
    with pytest.raises(InputError, match="make it first"):
        write_session(view, tmp_path / "away" / "scan")
    monkeypatch.setattr("dnalm.tracks.igv_session.session_text", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_session(view, tmp_path / "scan")
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_a_session_can_name_files_elsewhere(view):
    root = ElementTree.fromstring(session_text(view, genome="https://lab/g.fa", prefix="https://lab/"))
    assert root.get("genome") == "https://lab/g.fa"
    assert {one.get("path") for one in root.iter("Resource")} <= {one.get("id") for one in root.iter("Track")}
    assert all(one.get("path").startswith("https://lab/") for one in root.iter("Resource"))
