"""Stored scans are found by what made them, and serve the regions inside them."""

from __future__ import annotations

import os

import numpy as np
import pytest
from toy_classifier import MotifClassifier

from dnalm.alphabet import encode
from dnalm.model.bundle import read_bundle
from dnalm.sequences import Record, Region, read_records
from dnalm.settings import settings
from dnalm.tracks import gather, scan
from dnalm.tracks.boxes import find_boxes
from dnalm.tracks.store import bundle_digest, find_track, record_digest, save_track, track_key

RECORD = Record("r", np.random.default_rng(1).integers(0, 4, 400).astype(np.uint8))


def scanned(start, end, stride=1, strand="both"):
    return gather(scan(MotifClassifier("ACG"), RECORD, region=Region("r", start, end), stride=stride, strand=strand))


def test_a_stored_track_serves_regions_inside_it_at_multiples_of_its_stride(tmp_path):
    save_track(scanned(100, 300, 2), "a" * 24, tmp_path)
    for start, end, stride in [(100, 300, 2), (110, 203, 2), (104, 300, 10)]:
        wanted = scanned(start, end, stride)
        found = find_track("a" * 24, wanted, [tmp_path / "absent", tmp_path], stride=stride)
        assert found.stride == stride
        np.testing.assert_array_equal(found.positions, wanted.positions)
        np.testing.assert_array_equal(found.forward, wanted.forward)
        np.testing.assert_array_equal(found.reverse, wanted.reverse)
    assert find_track("a" * 24, scanned(110, 203), [tmp_path]).stride == 2


@pytest.mark.parametrize(("start", "end", "stride"), [(98, 300, 2), (101, 201, 2), (100, 301, 2), (100, 300, 1)])
def test_what_is_not_stored_is_not_found(tmp_path, start, end, stride):
    save_track(scanned(100, 300, 2), "a" * 24, tmp_path)
    assert find_track("a" * 24, scanned(start, end, stride), [tmp_path], stride=stride) is None


def test_other_keys_and_damaged_files_are_passed_over(tmp_path):
    path = save_track(scanned(100, 300), "a" * 24, tmp_path)
    assert find_track("b" * 24, scanned(100, 300), [tmp_path]) is None
    path.write_bytes(path.read_bytes()[:100])
    assert find_track("a" * 24, scanned(100, 300), [tmp_path]) is None
    with pytest.raises(ValueError, match="both strands"):
        save_track(scanned(100, 300, strand="+"), "a" * 24, tmp_path)


def test_the_oldest_tracks_go_when_the_folder_is_full(tmp_path):
    first = save_track(scanned(100, 300), "a" * 24, tmp_path)
    os.utime(first, (1, 1))
    second = save_track(scanned(110, 300), "a" * 24, tmp_path, most_bytes=first.stat().st_size + 10)
    assert list(tmp_path.iterdir()) == [second]


def test_a_key_changes_with_model_record_window_label_and_mode(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    before = bundle_digest(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"Weights")
    assert bundle_digest(tmp_path) != before
    linear, circular = (record_digest(Record("r", RECORD.codes, circular=c)) for c in (False, True))
    keys = {
        track_key(model, record, window=window, label=label, mode=mode)
        for model in (before, "other")
        for record in (linear, circular)
        for window in (81, 150)
        for label in ("promoter", "background")
        for mode in ("window", "stream")
    }
    assert len(keys) == 32


def test_the_boxes_of_a_consensus_promoter_are_found():
    # 10 bases, -35 box at 10, 17 bases, -10 box at 33, 6 bases, +1 at 45.
    text = "C" * 10 + "TTGACA" + "C" * 17 + "TATAAT" + "C" * 6 + "A" + "C" * 20
    boxes = find_boxes(encode(text), 45)
    assert (boxes.minus_35, boxes.minus_10, boxes.spacer) == (10, 33, 17)
    assert (boxes.matches_35, boxes.matches_10) == (6, 6)
    assert find_boxes(encode(text), 20) is None


def test_the_scans_that_ship_are_of_the_models_that_ship():
    """A model that was trained again leaves its old scan behind: the first picture would take a scan anew."""
    shipped = settings().shipped_data
    record = next(read_records(shipped / "genomes" / "ecoli_k12_mg1655.fna.gz"))
    keys = set()
    for name in ("ecoli-starts-150", "ecoli-sigma70-81", "ecoli-tss"):
        config = read_bundle(settings().shipped_models / name).config
        told = {"window": config.window, "label": config.positive, "mode": config.modes[0]}
        keys.add(track_key(bundle_digest(settings().shipped_models / name), record_digest(record), **told))
    found = {path.name.partition(".")[0] for path in (shipped / "demo" / "tracks").glob("*.npz")}
    assert found == keys, "run `python scripts/demo_tracks.py ecoli-starts-150 ecoli-sigma70-81 ecoli-tss` again"
