"""`dnalm scan`: of many records, killed and gone on with, in parts, in several processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pyBigWig
import pytest
from toy_track import MOTIF, motif_tracks, random_tracks, track_bundle
from typer.testing import CliRunner

from dnalm import load
from dnalm.alphabet import decode
from dnalm.cli import app
from dnalm.sequences import read_records
from dnalm.tracks import gather, scan
from dnalm.tracks.parts import Parts, parts_folder

PLACES = (5_000, 31_234)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return track_bundle(tmp_path_factory.mktemp("models") / "motif", motif_tracks()).folder


@pytest.fixture(scope="module")
def genome(tmp_path_factory) -> Path:
    text = "CG" * 22_000
    for place in PLACES:
        text = text[:place] + MOTIF + text[place + len(MOTIF) :]
    path = tmp_path_factory.mktemp("genome") / "genome.fna"
    path.write_text(f">chr\n{text}\n>plasmid circular=true\n{'GC' * 1_500}\n")
    return path


def run(*arguments):
    return CliRunner().invoke(app, ["scan", *map(str, arguments)])


def start(*arguments) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "dnalm", "scan", *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests may have been started with Ctrl-C ignored, as shells start jobs in the background.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for_pieces(process: subprocess.Popen, folder: Path, pieces: int) -> None:
    while len(Parts.there(folder)) < pieces:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.005)


def test_the_model_s_own_mode_and_the_other(model, genome, tmp_path):
    result = run(model, genome, "-o", tmp_path / "a.tsv", "--json")
    assert result.exit_code == 0, result.stderr
    rows = json.loads(result.stdout)["records"]
    assert [(row["record"], row["calls"]) for row in rows] == [("chr", 2), ("plasmid", 0)]
    for how in ([], ["--mode", "window", "--stride", "4"]):
        told = run(model, genome, "--strand", "+", "--region", "chr:4,001-6,000", *how)
        assert told.exit_code == 0, told.stderr
        rows = [line.split("\t") for line in told.stdout.splitlines()[1:]]
        assert [row[1] for row in rows if float(row[3]) > 0.5] == ["5000"]


def test_known_sites_are_counted_by_either_name(model, genome, tmp_path):
    (tmp_path / "known.bed").write_text("chr\t5003\t5004\ta\t0\t+\nchr\t9000\t9001\tb\t0\t+\n")
    for option in ("--truth", "--sites"):
        result = run(model, genome, option, tmp_path / "known.bed", "-o", tmp_path / "a.tsv")
        assert "1 of 2 known sites have a peak within 10 bases, 1 of 2 peaks have a known site" in result.stderr
    assert "--sites" not in run("--help").stdout


def test_every_record_goes_into_one_bigwig(model, genome, tmp_path):
    result = run(model, genome, "-o", tmp_path / "a.bw", "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["output"] == [str(tmp_path / f"a.{strand}.bw") for strand in ("plus", "minus")]
    with pyBigWig.open(str(tmp_path / "a.plus.bw")) as file:
        assert file.chroms() == {"chr": 44_000, "plasmid": 3_000}
        assert np.flatnonzero(file.values("chr", 0, 44_000, numpy=True) > 0.5).tolist() == list(PLACES)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.minus.bw", "a.plus.bw"]


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_killed_at_any_point_it_goes_on_to_the_same_file(model, genome, tmp_path, processes):
    output = tmp_path / "out.bw"
    folder = parts_folder(output)
    arguments = (model, genome, "--mode", "window", "-o", output, "--processes", processes)
    process = start(*arguments)
    wait_for_pieces(process, folder, 3)
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not list(tmp_path.glob("out*"))
    kept = Parts.there(folder)
    assert 3 <= len(kept) < 12
    _, alive = psutil.wait_procs(family, timeout=30)
    assert not alive  # who helped it has ended too
    stamps = {number: (folder / f"{number:07d}.npz").stat().st_mtime_ns for number in kept}
    if processes == 1:
        second = start(*arguments)
        wait_for_pieces(second, folder, len(kept) + 1)
        second.send_signal(signal.SIGKILL)
        second.wait()
    assert all((folder / f"{number:07d}.npz").stat().st_mtime_ns == stamp for number, stamp in stamps.items())
    result = run(*arguments[:-1], 1)
    assert result.exit_code == 0, result.stderr
    whole = run(model, genome, "--mode", "window", "-o", tmp_path / "whole.bw")
    assert whole.exit_code == 0, whole.stderr
    for strand in ("plus", "minus"):
        assert (tmp_path / f"out.{strand}.bw").read_bytes() == (tmp_path / f"whole.{strand}.bw").read_bytes()
    assert not folder.exists()


def test_ctrl_c_says_that_the_same_command_goes_on(model, genome, tmp_path):
    output = tmp_path / "out.tsv"
    process = start(model, genome, "--mode", "window", "-o", output)
    wait_for_pieces(process, parts_folder(output), 2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert "pieces are scored and kept: the same command goes on from there" in said
    assert "Traceback" not in said
    assert not output.exists()
    refused = run(model, genome, "--mode", "window", "--stride", "2", "-o", output)
    assert refused.exit_code == 2
    assert "unfinished scan of another kind (stride 1, not 2)" in refused.stderr
    assert run(model, genome, "--stride", "2", "-o", output, "--fresh").exit_code == 0
    assert not parts_folder(output).exists()


def test_parts_are_scored_apart_and_joined(model, genome, tmp_path):
    output = tmp_path / "out.bedgraph"
    arguments = (model, genome, "--mode", "window", "--stride", "3", "-o", output)
    told = [run(*arguments, "--part", f"{part}/3", "--json") for part in (1, 3)]
    assert [one.exit_code for one in told] == [0, 0], told[0].stderr
    refused = run(*arguments, "--join")
    assert refused.exit_code == 2
    assert "pieces are not scored yet, the first at chr:" in refused.stderr
    last = run(*arguments, "--part", "2/3")
    assert "--join writes the file" in last.stderr
    assert not output.exists()
    joined = run(*arguments, "--join", "--json")
    assert joined.exit_code == 0, joined.stderr
    whole = run(*arguments[:-1], tmp_path / "whole.bedgraph", "--json")
    assert output.read_bytes() == (tmp_path / "whole.bedgraph").read_bytes()
    assert json.loads(joined.stdout)["records"] == json.loads(whole.stdout)["records"]
    assert sum(json.loads(one.stdout)["pieces"] for one in told) > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.bedgraph", "whole.bedgraph"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--part", "3/2", "-o", "x.tsv"], "--part 3/2: write which of how many"),
        (["--part", "1/2"], "--part and --join need -o FILE"),
        (["--part", "1/2", "--join", "-o", "x.tsv"], "without --part and --fresh"),
        (["--part", "1/2", "--fresh", "-o", "x.tsv"], "a part does not start anew"),
        (["--device", "tpu"], "--device tpu: wanted cpu, cuda"),
        (["--device", "cuda:99"], "--device cuda:99: this machine has"),
        (["-o", "x.png"], "holds one record, but there are 2"),
        (["--region", "chr:43,990-44,100"], "does not lie in chr"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(model, genome, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    result = run(model, genome, *arguments)
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_mode_that_the_model_has_not_is_refused_in_a_sentence(genome, tmp_path):
    folder = track_bundle(tmp_path / "windowed", motif_tracks()).folder
    told = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(told | {"modes": ["window"]}))
    result = run(folder, genome, "--mode", "stream", "--region", "chr:1-90")
    assert result.exit_code == 2
    assert result.stderr == "dnalm: windowed has no stream mode; it is scanned in window mode\n"


def test_a_draft_genome_of_78_contigs(model, mirror, tmp_path):
    genome = mirror / "genomes" / "sphingobacteriaceae_dw12_contigs.fna.gz"
    if not genome.is_file():
        pytest.skip(f"needs {genome}")
    result = run(model, genome, "--stride", "25", "-o", tmp_path / "draft.bw", "--json")
    assert result.exit_code == 0, result.stderr
    rows = json.loads(result.stdout)["records"]
    records = list(read_records(genome))
    assert len(rows) == len(records) == 78
    assert [row["end"] for row in rows] == [len(record) for record in records]
    loaded = load(model)
    with pyBigWig.open(str(tmp_path / "draft.minus.bw")) as file:
        assert file.chroms() == {record.id: len(record) for record in records}
        for record in [*records[:2], min(records, key=len)]:
            track = gather(scan(loaded, record, stride=25, strand="-"))
            values = file.values(record.id, 0, len(record), numpy=True)
            np.testing.assert_array_equal(values[::25], track.reverse)


def test_a_picture_of_a_region_over_the_origin(model, genome, tmp_path):
    result = run(model, genome, "--region", "plasmid:2,500-3,500", "-o", tmp_path / "a.png")
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_scan_of_standard_input(model, genome):
    told = genome.read_text()
    result = CliRunner().invoke(app, ["scan", str(model), "-", "--region", "chr:4,990-5,010"], input=told)
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.splitlines()) == 1 + 2 * 21
    assert decode(next(read_records(genome)).codes[5_000:5_006]) == MOTIF


def test_a_runtime_is_said_and_how_far_it_strays(genome, tmp_path):
    encoded = track_bundle(tmp_path / "encoded", random_tracks()).folder
    told = [encoded, genome, "--region", "chr:1-12,000", "--json"]
    exact = json.loads(run(*told, "-o", tmp_path / "torch.tsv").stdout)
    assert exact["runtime"] == "torch"
    assert "difference" not in exact
    same = run(*told, "-o", tmp_path / "onnx.tsv", "--runtime", "onnx", "--processes", "2")
    assert json.loads(same.stdout)["runtime"] == "onnx", same.stderr
    scores = [np.loadtxt(tmp_path / f"{name}.tsv", skiprows=1, usecols=3) for name in ("torch", "onnx")]
    assert np.abs(scores[0] - scores[1]).max() < 1e-5
    quick = run(*told, "-o", tmp_path / "int8.tsv", "--runtime", "onnx-int8")
    found = json.loads(quick.stdout)["difference"]
    assert 0 < found["rms"] < found["largest"] < 0.05
    assert found["n"] >= 256
    said = run(*told[:-1], "-o", tmp_path / "int8.tsv", "--runtime", "onnx-int8").stderr
    assert "8 bits: probabilities are off by at most" in said


def test_parts_of_two_runtimes_do_not_make_one_track(genome, tmp_path):
    encoded = track_bundle(tmp_path / "encoded", random_tracks()).folder
    told = [encoded, genome, "-o", tmp_path / "a.tsv", "--part"]
    assert run(*told, "1/2").exit_code == 0
    other = run(*told, "2/2", "--runtime", "onnx-int8")
    assert other.exit_code == 2, other.stdout
