"""The benchmarks' arithmetic, on made-up seconds. Nothing here is timed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks/ is no part of the package

import dnalm
from benchmarks import (
    cost,
    faithfulness,
    fastai_peer,
    inference,
    large_genome,
    mutating,
    scanning,
    streaming,
    tangermeme_peer,
    time_to_bits,
    tokenizing,
    training,
)
from benchmarks.table import Row, number, render
from benchmarks.timing import Timings, take_turns
from dnalm.model.config import PRESETS, EncoderConfig, TrackMemberConfig
from dnalm.model.language_model import AWDLanguageModel
from dnalm.sequences import Record, Region, read_records
from dnalm.settings import PACKAGE_ROOT
from dnalm.tokenizer import KmerTokenizer
from dnalm.tracks import gather, scan


class Clock:
    """Says what it is told that each work takes."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[str] = []

    def work(self, name: str, seconds: Iterator[float]):
        def run() -> None:
            self.calls.append(name)
            self.now += next(seconds)

        return run


def test_turns_alternate_and_the_warm_round_is_not_timed() -> None:
    clock = Clock()
    works = {"a": clock.work("a", iter([9.0, 1.0, 2.0])), "b": clock.work("b", iter([9.0, 3.0, 4.0]))}
    timings = take_turns(works, rounds=2, warm=1, clock=lambda: clock.now)
    assert clock.calls == ["a", "b", "b", "a", "a", "b"]
    assert timings.seconds == {"a": [1.0, 2.0], "b": [3.0, 4.0]}


def test_ratio_is_paired_by_round() -> None:
    # The machine was ten times slower in the last round: the ratio does not notice.
    timings = Timings({"slow": [4.0, 6.0, 50.0], "fast": [2.0, 2.0, 20.0]})
    ratio = timings.ratio("slow", "fast")
    assert (ratio.value, ratio.low, ratio.high) == (2.5, 2.25, 2.75)
    assert timings.median("fast") == 2.0
    single = Timings({"a": [3.0], "b": [1.0]}).ratio("a", "b")
    assert (single.value, single.low, single.high) == (3.0, 3.0, 3.0)


@pytest.mark.parametrize(
    ("value", "aim", "at_most", "verdict"),
    [(100.0, 100.0, False, "met"), (99.9, 100.0, False, "short"), (1.4, 1.5, True, "met"), (1.6, 1.5, True, "short")],
)
def test_verdicts(value: float, aim: float, at_most: bool, verdict: str) -> None:
    assert Row("s", "c", value, aim=aim, at_most=at_most).verdict == verdict


def test_a_row_without_an_aim_has_no_verdict_and_the_table_lines_up() -> None:
    rows = [Row("tokenizing", "beside", 123.4, "x", 110.0, 140.0, 100.0), Row("m", "n", 0.945, "GB")]
    lines = render(rows).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == [
        "tokenizing", "beside", "123x", "110 to 140", ">= 100", "met",
    ]  # fmt: skip
    assert [cell.strip() for cell in lines[3].split("|")[1:-1]] == ["m", "n", "0.945 GB", "", "", ""]
    assert number(12345.6) == "12,346"


def test_flops_of_a_token_by_hand() -> None:
    # One layer of 2 to 3: 4 gates x 3 x (2 + 3) weights; 3 x 5 in the decoder; 2 operations each, 3 passes.
    config = EncoderConfig(k=1, stride=1, embedding=2, hidden=3, layers=1)
    assert training.flops_a_token(config, 5) == 6 * (4 * 3 * 5 + 3 * 5)


def test_flops_agree_with_the_weights_of_the_presets() -> None:
    for config in PRESETS.values():
        model = AWDLanguageModel(config, "continuation")
        matrices = sum(p.numel() for name, p in model.encoder.layers.named_parameters() if "weight" in name)
        flops = training.flops_a_token(config, config.tokenizer.continuations)
        assert flops == 6 * (matrices + model.decoder.weight.numel())


def test_training_rows_from_made_seconds() -> None:
    product = 2 * training.PEAK_SIDE**3
    tokens = 1000
    timings = Timings({"vocabulary": [2.0], "continuation": [1.0], "fastai": [1.9], "peak": [product / 1e9]})
    rows = {row.compared: row for row in training.rows_of("small", timings, tokens)}
    beside = rows["tokens/s beside fastai, the same softmax over all k-mers"]
    assert beside.value == pytest.approx(0.95) and beside.aim == 0.95
    assert rows["tokens/s beside fastai, our continuation head"].value == pytest.approx(1.9)
    assert rows["dnalm, vocabulary head"].value == 500
    # The peak is 1e9 operations a second, a token takes 2 million, and a thousand of them a second: 200 %.
    share = rows["share of matrix-multiply peak, continuation head"]
    flops = training.flops_a_token(PRESETS["small"], PRESETS["small"].tokenizer.continuations)
    assert share.value == pytest.approx(100 * flops * tokens / 1.0 / 1e9)
    assert share.aim == 58 and rows["share of matrix-multiply peak, vocabulary head"].aim is None
    assert rows[f"torch.mm of {training.PEAK_SIDE} x {training.PEAK_SIDE}, float32"].value == pytest.approx(1.0)


def test_without_fastai_its_rows_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    timings = Timings({"vocabulary": [2.0], "continuation": [1.0], "peak": [1.0]})
    assert not any("fastai" in row.compared for row in training.rows_of("seed", timings, 10))
    assert not any("fastai" in row.compared for row in inference.rows_of(Timings({"dnalm": [1.0]})))
    assert "pip install --no-deps" in fastai_peer.HOW_TO_GET_IT and fastai_peer.FOLDER in fastai_peer.HOW_TO_GET_IT


def test_inference_and_file_rows() -> None:
    timings = Timings({"dnalm": [1.0], "dnalm, both strands": [2.0], "fastai": [1.2]})
    assert [round(row.value, 2) for row in inference.rows_of(timings)][:2] == [1.2, 0.6]
    rows = tokenizing.file_rows("gzip", Timings({"dnalm": [0.01], "ancestor": [0.7], "one slice": [0.5]}), 60)
    assert [(row.value, row.verdict) for row in rows[:2]] == [(pytest.approx(70), "met"), (pytest.approx(50), "")]


@pytest.mark.parametrize("text", ["ACGTACGTA", "acgtacgtac", "ACGTA"])
def test_the_ancestors_way_gives_our_ids(text: str) -> None:
    tokenizer = KmerTokenizer(5, 2)
    index = {word: number for number, word in enumerate(tokenizer.vocabulary())}
    codes = np.array(["acgt".index(letter) for letter in text.lower()], dtype=np.uint8)
    expected = tokenizer.ids(codes).tolist()
    assert tokenizing.ancestor_ids(text, index, 5, 2) == expected
    assert tokenizing.one_slice_ids(text.upper(), index, 5, 2) == expected


def test_time_to_target_between_two_budgets() -> None:
    # Half-way in bits between 100 s and 400 s is 200 s on a logarithmic scale.
    assert time_to_bits.time_to(1.90, [(100.0, 1.92), (400.0, 1.88)]) == pytest.approx(200)
    assert time_to_bits.time_to(1.90, [(60.0, 1.89)]) == 60
    assert time_to_bits.time_to(1.90, [(60.0, 1.95), (120.0, 1.93)]) is None


def test_conclusion_says_at_least_where_the_ancestor_did_not_arrive() -> None:
    both = time_to_bits.conclusion(1.9, {"dnalm": 100.0, "ancestor": 700.0}, 64)
    assert (both[-1].value, both[-1].verdict) == (7.0, "met")
    ours = time_to_bits.conclusion(1.9, {"dnalm": 120.0, "ancestor": None}, 8)
    assert (ours[-1].value, ours[-1].verdict) == (4.0, "") and "at least" in ours[-1].compared
    assert time_to_bits.conclusion(1.9, {"dnalm": None, "ancestor": None}, 8) == []


def test_both_ways_have_the_same_hidden_size() -> None:
    ours, theirs = (time_to_bits.configuration(way, "g", 1) for way in time_to_bits.WAYS)
    assert ours.resolved_encoder().hidden == theirs.resolved_encoder().output_size == 256
    assert (ours.resolved_head(), theirs.resolved_head()) == ("continuation", "vocabulary")
    assert theirs.resolved_encoder().output_dropout == pytest.approx(0.075)


@pytest.mark.parametrize("bases", [1, 80, 81, 1000, 80 * 100_000 + 7])
def test_the_made_genome_reads_back(bases: int, tmp_path) -> None:
    path = tmp_path / "made.fna"
    large_genome.write_genome(path, 2, bases)
    records = list(read_records(path))
    assert [(record.id, len(record)) for record in records] == [("made_1", bases), ("made_2", bases)]
    assert max(len(line) for line in path.read_bytes().split(b"\n")) <= max(80, len(b">made_1 random bases"))
    if bases >= 1000:
        assert set(np.unique(records[0].codes)) == {0, 1, 2, 3}


@pytest.mark.skipif(fastai_peer.fastai() is None, reason="fastai is not installed: see python -m benchmarks")
@pytest.mark.parametrize("preset", ["small", "seed"])
def test_fastais_model_has_our_weights_and_gives_our_logits(preset: str) -> None:
    config = PRESETS[preset].with_dropout(0)
    ours = AWDLanguageModel(config, "vocabulary").eval()
    theirs = fastai_peer.language_model(config).eval()
    awd, decoder = theirs[0], theirs[1].decoder
    with torch.no_grad():
        awd.encoder.weight.copy_(ours.encoder.embedding.weight)
        for layer, rnn in zip(ours.encoder.layers, awd.rnns, strict=True):
            rnn.weight_hh_l0_raw.copy_(layer.lstm.weight_hh_l0)
            for name in ("weight_ih_l0", "bias_ih_l0", "bias_hh_l0"):
                getattr(rnn.module, name).copy_(getattr(layer.lstm, name))
        decoder.weight.copy_(ours.decoder.weight)
        decoder.bias.copy_(ours.decoder.bias)
        fastai_peer.batch(theirs, 2)
        codes = torch.randint(0, 4, (2, 25), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
        ids = torch.from_numpy(config.tokenizer.ids(codes.numpy())).long()
        outputs, _, _ = ours.read(codes)
        assert torch.allclose(ours.decoder(outputs), theirs(ids)[0], atol=1e-5)


def test_the_cost_of_a_pre_training_by_hand() -> None:
    config = PRESETS["small"]
    found = cost.cost("small", bases=3e6, passes=2)
    assert found.tokens == 3e6 * 2 * 2 / config.stride
    assert found.operations == found.tokens * training.flops_a_token(config, config.tokenizer.continuations)
    # A tenth of a peak of 1 TFLOPS, for 3.6e14 operations: an hour.
    assert cost.Cost(1.0, 3.6e14).hours(1.0, 0.1) == pytest.approx(1.0)


def test_the_costs_that_the_docs_state_are_what_is_printed(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["cost"])
    cost.main()
    assert capsys.readouterr().out in (PACKAGE_ROOT / "docs" / "protocols.md").read_text(encoding="utf-8")


def test_the_ways_to_mutate_find_the_same() -> None:
    model = dnalm.load("ecoli-starts-150")
    codes = np.random.default_rng(0).integers(0, 4, 150).astype(np.uint8)
    wanted = mutating.plainly(model, codes)
    ways = [mutating.by_dnalm, mutating.by_captum]
    if tangermeme_peer.saturation_mutagenesis() is not None:
        ways.append(mutating.by_tangermeme)
    for way in ways:
        assert mutating.largest_difference([way(model, codes)], [wanted]) < mutating.LARGEST_DIFFERENCE, way
    assert not model.module.training
    assert np.ptp(wanted[np.arange(150), codes]) == 0  # where nothing is changed, the sequence's own


def test_rows_of_mutating_without_tangermeme() -> None:
    timings = Timings({"dnalm": [1.0, 1.0], "plain": [3.0, 5.0], "captum": [6.0, 6.0]})
    zero, other = np.zeros((150, 4)), np.full((150, 4), 4e-6)  # log-odds: a quarter of it in probability
    kept = {"dnalm": [zero, other], "plain": [zero, zero], "captum": [zero, zero]}
    rows = mutating.rows_of("all", timings, kept, 2.5, 150)
    assert [(row.compared, round(row.value, 6), row.verdict) for row in rows] == [
        ("beside the plain way", 4.0, "met"),
        ("beside Captum", 6.0, ""),
        ("dnalm: largest difference in probability, in millionths", 1.0, "met"),
        ("captum: largest difference in probability, in millionths", 0.0, ""),
        ("dnalm", 450.0, ""),
        ("dnalm, one sequence", 1.0, ""),
    ]


def test_operations_of_a_window_by_hand() -> None:
    # 3-mers at stride 3: 33 tokens of 100 bases. LSTM 4 gates x 7 x (5 + 7); head 21 to 50 to 2.
    config = EncoderConfig(k=3, stride=3, embedding=5, hidden=7)
    head = 21 * 50 + 50 * 2
    assert scanning.flops_a_window(config, 2, table=False) == 2 * (33 * 4 * 7 * 12 + head)
    assert scanning.flops_a_window(config, 2, table=True) == 2 * (32 * 4 * 7 * 7 + head)


def test_what_is_scanned_is_what_is_read_one_at_a_time(tmp_path: Path) -> None:
    model = scanning.ancestor_like(tmp_path / "toy")
    record = Record("toy", np.random.default_rng(0).integers(0, 4, 1000).astype(np.uint8))
    region = Region("toy", 200, 500)
    track = gather(scan(model, record, region=region, stride=scanning.STRIDE))
    alone = scanning.one_at_a_time(model, scanning.windows_of(record, region))
    assert np.abs(np.concatenate([*track.strands().values()]) - alone).max() < scanning.EXACT


def test_rows_of_scanning_without_fastai() -> None:
    config = PRESETS["small"]
    seconds = {"dnalm": [2.0], "onnx": [1.6], "onnx-int8": [0.8], "one at a time": [8.0]}
    work = 1600 * scanning.flops_a_window(config, 2, table=False) / (2 * training.PEAK_SIDE**3)
    seconds["peak"] = [2.0 * 0.9 / work]  # what is counted took 2 s at 90 % of the peak
    rows = {row.compared: row for row in scanning.rows_of(Timings(seconds), config, 1600)}
    assert not any("fastai" in compared for compared in rows)
    assert rows["PyTorch, beside one window at a time"].value == 4.0
    assert rows["PyTorch, beside one window at a time"].verdict == "met"
    assert rows["ONNX Runtime int8, beside dnalm in PyTorch"].value == 2.5
    share = rows["PyTorch, share of matrix-multiply peak"]
    assert (round(share.value, 6), share.verdict) == (90.0, "met")


def test_stream_beside_window_is_a_ratio_of_seconds_a_site() -> None:
    sites = streaming.BASES / streaming.WINDOW_SITES
    rows = streaming.rows_of(Timings({"stream": [1.0], "stream, onnx": [0.5], "window": [60.0 / sites]}))
    assert [(round(row.value, 6), row.verdict) for row in rows] == [(60.0, "met"), (1.0, ""), (120.0, ""), (0.5, "")]


def test_the_memory_of_a_scan_is_watched_from_outside(tmp_path: Path) -> None:
    model = streaming.track_model(
        tmp_path / "toy", TrackMemberConfig(motifs=1, motif_width=3, channels=1, dilations=())
    )
    held = streaming.watch(model.bundle.folder, 300_000, [100_000, 300_000])
    assert 0 < held[0] <= held[1] <= held[2]
    rows = streaming.memory_rows("toy", [10**9, 2 * 10**9, 2 * 10**9 + 5 * 10**7], [1, 2])
    assert [(round(row.value, 6), row.verdict) for row in rows] == [(2.05, "met"), (0.05, "met")]


def test_the_tables_of_faithfulness_are_those_of_what_is_kept() -> None:
    page = (PACKAGE_ROOT / "docs" / "faithfulness.md").read_text(encoding="utf-8")
    assert faithfulness.tables(faithfulness.kept()) in page
