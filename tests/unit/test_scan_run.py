"""A scan as a run: in pieces, by several, broken off and begun again; what comes of it, and who may ask for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import toy_house
from toy_queue import people
from toy_track import random_tracks, track_bundle

from dnalm.alphabet import decode
from dnalm.errors import InputError
from dnalm.evaluation import scan_files, scan_pieces
from dnalm.evaluation.scan_pieces import Pieces, Stretch, cut
from dnalm.evaluation.scan_run import run_scan
from dnalm.lab import jobs, uploads
from dnalm.lab.database import Database
from dnalm.lab.people import local_user
from dnalm.model.predict import load
from dnalm.sequences import Record, read_records
from dnalm.settings import settings
from dnalm.tracks import Track, call_peaks, gather, scan
from dnalm.tracks.store import bundle_digest, find_track, record_digest, track_key
from dnalm.training.config import ScanConfig
from dnalm.training.launch import configured
from dnalm.training.run import RunFolder

GENOME = "toy"


@pytest.fixture
def house(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A genome with six promoters, a model that knows them by heart, and short pieces."""
    built = toy_house.build(tmp_path / "shipped")
    monkeypatch.setenv("DNALM_SHIPPED", str(built))
    monkeypatch.setattr(scan_pieces, "WINDOW_SITES", (1_000, 4_000))
    settings.cache_clear()
    return built


def told(**changes) -> ScanConfig:
    fields = {"model": toy_house.MODEL, "sequence": GENOME, "truth": None, **changes}
    return ScanConfig(**fields)


def record_of(house: Path) -> Record:
    return next(read_records(house / "data" / "genomes" / "toy.fna.gz"))


def whole(house: Path, **how) -> Track:
    return gather(scan(load(house / "models" / toy_house.MODEL), record_of(house), **how))


def table(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "track.tsv", sep="\t")


def outcome(folder: Path) -> dict:
    result = json.loads((folder / "result.json").read_text())
    result.pop("seconds_since_start_or_resume")
    return result


def test_a_scan_in_pieces_is_the_scan_in_one_and_its_peaks_are_the_planted_promoters(house: Path, home: Path) -> None:
    truth = house / "data" / "demo" / "sigma70_tss.tsv"
    folder = home / "runs" / "a"
    result = run_scan(told(truth=str(truth), formats=["tsv", "bigwig"], stride=1), folder)
    expected = whole(house)
    scores = table(folder)
    for strand, values in expected.strands().items():
        mine = scores[scores.strand == strand]
        kept = ~np.isnan(values)
        assert (mine.position == expected.positions[kept]).all()
        np.testing.assert_allclose(mine.probability, values[kept], atol=1e-6)
    bed = [line.split("\t") for line in (folder / "peaks.bed").read_text().splitlines()[1:]]
    # A promoter whose boxes chance repeats has two calls; the planted ones are all there, and stand where they begin.
    found = {(int(row[1]) + 1, row[5]) for row in bed}
    assert set(toy_house.STARTS) <= found
    assert len(bed) == result["peaks"] == len(call_peaks(expected, 0.7))
    assert result["agreement"]["known"] == result["agreement"]["found"] == 5
    assert result["figures"]["recall"]["value"] == 1
    assert result["figures"]["precision"]["low"] <= 5 / 6 <= result["figures"]["precision"]["high"]
    assert result["measured"] == {"part": "all", "tolerance": 100, "sites": 5}
    assert {one["name"] for one in result["files"]} == {"track.tsv", "track.plus.bw", "track.minus.bw", "peaks.bed"}
    assert not (folder / "scan").exists()
    assert RunFolder(folder).read_progress()["state"] == "succeeded"


def test_the_track_lies_where_the_page_looks_and_serves_the_regions_inside_it(house: Path, home: Path) -> None:
    folder = home / "runs" / "a"
    run_scan(told(region=f"{toy_house.RECORD}:5001-9500"), folder)
    weights = bundle_digest(house / "models" / toy_house.MODEL)
    key = track_key(weights, record_digest(record_of(house)), window=81, label="promoter")
    nothing = np.empty(0, dtype=np.int64)
    shape = {"stride": 1, "window": 81, "positions": nothing, "forward": None, "reverse": None, "model": "m"}
    like = Track(toy_house.RECORD, 6_000, 7_000, **shape, record_length=toy_house.LENGTH)
    found = find_track(key, like, [home / "cache" / "tracks"])
    assert found is not None
    assert found.reverse is not None
    assert found.positions[np.argmax(found.reverse)] == 6_499


def test_a_track_model_is_read_in_one_pass_and_its_training_regions_are_told_apart(
    house: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan_pieces, "STREAM_BASES", (3_000, 5_000))
    regions = {"train": [f"{toy_house.RECORD}:1-10000"], "valid": [], "test": [f"{toy_house.RECORD}:10001-30000"]}
    model = track_bundle(home / "models" / "toy-track", random_tracks(), trained={"regions": regions})
    truth = house / "data" / "demo" / "sigma70_tss.tsv"
    folder = home / "runs" / "a"
    result = run_scan(told(model=model.name, truth=str(truth), threshold=0.001, formats=["parquet"]), folder)
    assert result["mode"] == "stream"
    expected = gather(scan(load(model.folder), record_of(house), mode="stream"))
    scores = pd.read_parquet(folder / "track.parquet")
    for strand, values in expected.strands().items():
        np.testing.assert_allclose(scores[scores.strand == strand].probability, values, atol=1e-6)
    assert result["measured"] == {"part": "held-out", "tolerance": 100, "sites": 2}
    key = track_key(
        bundle_digest(model.folder), record_digest(record_of(house)), window=61, label="start", mode="stream"
    )
    assert list((home / "cache" / "tracks").glob(f"{key}.0-30000.1.npz"))
    windowed = run_scan(told(model=model.name, mode="window", stride=500), home / "runs" / "b")
    assert windowed["mode"] == "window"
    with pytest.raises(InputError, match="has no stream mode"):
        run_scan(told(mode="stream"), home / "runs" / "c")


def test_broken_off_at_any_piece_it_comes_out_the_same(house: Path, home: Path) -> None:
    config = told(formats=["tsv"], stride=3)
    run_scan(config, home / "runs" / "whole")
    scored: list[int] = []

    def stop(progress: dict) -> None:
        scored.append(progress["step"])
        if progress["phase"] == "scanning" and len(scored) % 3 == 0:
            raise KeyboardInterrupt

    folder, times = home / "runs" / "cut", 0
    while not (folder / "result.json").exists():
        times += 1
        try:
            run_scan(config, folder, stop)
        except KeyboardInterrupt:
            assert RunFolder(folder).read_progress()["state"] == "interrupted"
            assert (folder / "checkpoint" / "state.json").is_file()
    assert times > 2
    assert outcome(folder) == outcome(home / "runs" / "whole")
    for name in ("track.tsv", "peaks.bed"):
        assert (folder / name).read_bytes() == (home / "runs" / "whole" / name).read_bytes()


def test_pieces_of_another_model_or_sequence_are_not_taken_over(house: Path, home: Path) -> None:
    def stop(progress: dict) -> None:
        if progress["step"] > 0:
            raise KeyboardInterrupt

    config, folder = told(sequence=str(home / "own.fna"), formats=["tsv"], stride=3), home / "runs" / "a"
    codes = record_of(house).codes
    home.mkdir(parents=True, exist_ok=True)
    (home / "own.fna").write_text(f">{toy_house.RECORD}\n{decode(codes)}\n")
    with pytest.raises(KeyboardInterrupt):
        run_scan(config, folder, stop)
    (home / "own.fna").write_text(f">{toy_house.RECORD}\n{decode(codes[::-1])}\n")
    run_scan(config, folder)
    run_scan(config, home / "runs" / "b")
    assert (folder / "track.tsv").read_bytes() == (home / "runs" / "b" / "track.tsv").read_bytes()


def test_each_piece_is_claimed_once_and_one_that_was_let_go_again(tmp_path: Path) -> None:
    record = Record("r", np.zeros(10_000, dtype=np.uint8))
    plan = cut([Stretch(record, 0, 10_000)], 1, streamed=False)
    assert [(piece.start, piece.end) for piece in plan] == [(0, 4096), (4096, 8192), (8192, 10_000)]
    one, two = Pieces(tmp_path / "p", plan), Pieces(tmp_path / "p", plan)
    mine, theirs = one.unclaimed(), two.unclaimed()
    assert next(mine).number == 0
    assert next(theirs).number == 1
    theirs.close()  # it died, and wrote nothing
    assert next(mine).number == 1
    assert [piece.number for piece in two.unclaimed(first=2)] == [2, 0]


def test_pieces_begin_at_scored_sites_whatever_the_stride() -> None:
    stretches = [
        Stretch(Record(name, np.zeros(1, dtype=np.uint8)), 5, 5 + length) for name, length in (("a", 9), ("b", 700_000))
    ]
    plan = cut(stretches, 7, streamed=False)
    assert {(piece.start - 5) % 7 for piece in plan} == {0}
    assert [piece.of for piece in plan][:2] == [0, 1]
    assert plan[-1].end == 700_005
    streamed = cut([stretches[1]], 7, streamed=True)
    assert {(piece.start - 5) % 7 for piece in streamed} == {0}
    assert sum(piece.end - piece.start for piece in streamed) == 700_000


def test_a_region_over_the_origin_and_records_too_short_for_a_window(house: Path, home: Path) -> None:
    codes = record_of(house).codes
    home.mkdir(parents=True, exist_ok=True)
    text = f">c1 [topology=circular]\n{decode(codes[:20_000])}\n>short\nACGT\n>c2\n{decode(codes[20_000:])}\n"
    (home / "draft.fna").write_text(text)
    result = run_scan(told(sequence=str(home / "draft.fna"), stride=50, formats=["parquet"]), home / "runs" / "a")
    assert [row["record"] for row in result["records"]] == ["c1", "c2"]
    assert "4 bases" in result["skipped"]["short"]
    assert set(pd.read_parquet(home / "runs" / "a" / "track.parquet").record) == {"c1", "c2"}
    if next(read_records(home / "draft.fna")).circular:
        region = told(sequence=str(home / "draft.fna"), region="c1:19,001-21,000", formats=["tsv"])
        run_scan(region, home / "runs" / "b")
        assert set(table(home / "runs" / "b").position) == {*range(19_000, 20_000), *range(1_000)}


def test_peaks_of_a_long_track_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    # Noise: a peak every few dozen sites, whose neighbours decide which are kept.
    scores = np.random.default_rng(3).random((2, 30_000)).astype(np.float32)
    shape = {"stride": 1, "window": 81, "positions": np.arange(30_000), "model": "m", "record_length": 30_000}
    track = Track("r", 0, 30_000, forward=scores[0], reverse=scores[1], **shape)
    expected = call_peaks(track, 0.9)
    monkeypatch.setattr(scan_files, "_STRETCH", 1_700)
    found = scan_files.peaks_of(track, 0.9)
    assert len(expected) > 200
    assert [str(peak) for peak in found] == [str(peak) for peak in expected]


def test_several_processes_share_a_scan_and_one_alone_would_do(house: Path, home: Path) -> None:
    config = told(parts=3, formats=["tsv"], stride=2)
    folder = RunFolder.create(home / "runs" / "a", config.model_dump(mode="json")).path
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    argv = [sys.executable, "-m", "dnalm", "run", str(folder)]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    # As one of an array whose others never begin.
    alone = RunFolder.create(home / "runs" / "b", config.model_dump(mode="json")).path
    environment |= {"RANK": "0", "WORLD_SIZE": "3"}
    argv[-1] = str(alone)
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert (folder / "track.tsv").read_bytes() == (alone / "track.tsv").read_bytes()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"region": "NC_TOY.1:29000-31000"}, "does not lie in"),
        ({"region": "elsewhere:1-10"}, "has no record elsewhere; it has NC_TOY.1"),
        ({"region": "somewhere"}, "is not a region"),
        ({"window": 40}, "reads windows of 81 bases"),
        ({"label": "enhancer"}, "is not a label"),
        ({"sequence": "./nothing.fna"}, r"nothing\.fna: no such file, and nothing of that name in the catalogue"),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(house: Path, home: Path, changes: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        run_scan(told(**changes), home / "runs" / "a")


def test_formats_and_devices_are_checked_before_there_is_a_run() -> None:
    with pytest.raises(InputError, match="'wig' is none of bigwig"):
        configured({"phase": "scan", "model": "m", "sequence": "s", "formats": ["wig"]})
    with pytest.raises(InputError, match="shared out by `parts`"):
        configured({"phase": "scan", "model": "m", "sequence": "s", "compute": {"devices": 2}})


def test_a_scan_takes_a_slot_for_each_part(house: Path, db: Database) -> None:
    job = jobs.submit(local_user(), told(parts=3))
    assert (job.phase, job.devices) == ("scan", 3)
    assert job.name.startswith(f"scan-{toy_house.MODEL}")


def test_a_language_model_cannot_scan(house: Path, db: Database) -> None:
    from toy_models import language_model_bundle

    bundle = language_model_bundle(settings().models / "lm")
    with pytest.raises(InputError, match="a classifier or a track model is wanted"):
        jobs.submit(local_user(), told(model=str(bundle.folder)))


def test_a_colleagues_upload_is_not_scanned_and_one_that_is_read_stays(house: Path, db: Database, tmp_path) -> None:
    ann, ben = people("ann", "ben")
    file = tmp_path / "mine.fna"
    file.write_text(f">x\n{'ACGT' * 100}\n")
    kept = uploads.add_upload(ann, file, "a" * 64, "mine.fna")
    for name in (kept.key, str(kept.path)):
        for field in ("sequence", "truth"):
            with pytest.raises(InputError, match="none that is shared with you"):
                jobs.submit(ben, told(**{field: name}))
    job = jobs.submit(ann, told(sequence=kept.key))
    with pytest.raises(InputError, match=job.name):
        uploads.delete_upload(ann, kept.id)
