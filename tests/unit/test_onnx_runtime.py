"""ONNX Runtime says what PyTorch says: to 1e-6 in float32, nearly so in 8 bits, whatever is read and however."""

from __future__ import annotations

import builtins
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_models import aligned, classifier, classifier_bundle, language_model, random_codes, tiny_encoder
from toy_track import random_tracks, track_bundle

import dnalm
from dnalm.alphabet import reverse_complement
from dnalm.errors import InputError
from dnalm.model.config import PoolHeadConfig
from dnalm.model.encoder import AWDLSTM
from dnalm.model.onnx_graph import encoder_graph
from dnalm.model.onnx_runtime import Difference, OnnxEncoder, accelerated, difference
from dnalm.model.predict import Classifier, TrackModel
from dnalm.sequences import Record
from dnalm.tracks.sampled import sample_windows

EXACT = 1e-6


def encoder(**changes) -> AWDLSTM:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return AWDLSTM(tiny_encoder(**changes)).eval().requires_grad_(False)


def text(rows: int, length: int, seed: int = 0, unknown: bool = True) -> torch.Tensor:
    codes = np.random.default_rng(seed).integers(0, 5 if unknown else 4, (rows, length))
    return torch.from_numpy(codes.astype(np.uint8))


@settings(max_examples=25, deadline=None)
@given(layers=st.integers(1, 3), tied=st.booleans(), rows=st.integers(1, 5), length=st.integers(3, 40))
def test_states_are_those_of_pytorch(layers: int, tied: bool, rows: int, length: int) -> None:
    plain = encoder(layers=layers, tied=tied)
    quick, codes = OnnxEncoder(plain), text(rows, length)
    with torch.inference_mode():
        wanted, ended = plain(plain.embed(codes))
        found, last = quick(quick.embed(codes))
    assert found.shape == wanted.shape
    assert float((found - wanted).abs().max()) < EXACT
    for one, other in zip(last, ended, strict=True):
        for part, expected in zip(one, other, strict=True):
            assert part.shape == expected.shape
            assert float((part - expected).abs().max()) < EXACT


def test_a_text_read_in_two_parts_ends_as_in_one() -> None:
    quick, codes = OnnxEncoder(encoder(layers=2)), text(3, 41)
    with torch.inference_mode():
        ids = quick.embed(codes)
        whole, ended = quick(ids)
        first, state = quick(ids[:, :7])
        second, last = quick(ids[:, 7:], state)
    assert torch.equal(torch.cat([first, second], 1), whole)
    assert torch.equal(last[1][1], ended[1][1])


def test_base_probabilities_go_through_pytorch_with_the_same_answer() -> None:
    plain, codes = encoder(), text(2, 30, unknown=False)
    quick, bases = OnnxEncoder(plain), torch.eye(4)[codes.long()].requires_grad_(True)
    found, _ = quick(quick.embed_bases(bases))
    assert float((found.detach() - quick(quick.embed(codes))[0]).abs().max()) < EXACT
    found.sum().backward()
    assert bases.grad is not None


def test_one_unit_in_8_bits_worked_out_by_hand() -> None:
    """State .5 is 64 of 127, weight .3 is the largest of its gate, 127 of 127: the gate gets 64 / 127 * .3 more."""
    plain = encoder(hidden=1, embedding=1)
    lstm = plain.layers[0].lstm
    for weight in plain.parameters():
        weight.zero_()
    lstm.weight_hh_l0[2] = 0.3  # the cell gate's
    quick = OnnxEncoder(plain, int8=True)
    start = [(torch.full((1, 1, 1), 0.5), torch.zeros(1, 1, 1))]
    ids = quick.embed(text(1, 5))
    assert ids.shape == (1, 2)
    _, ended = quick(ids[:, :2], start)
    _, once = quick(torch.cat([ids[:, :1], ids[:, :1]], 1), start)
    cell = 0.5 * np.tanh(64 / 127 * 0.3)
    hidden = 0.5 * np.tanh(cell)
    cell = 0.5 * cell + 0.5 * np.tanh(np.rint(hidden * 127) / 127 * 0.3)
    assert float(ended[0][1].item()) == pytest.approx(cell, abs=1e-7)
    assert float(once[0][1].item()) == pytest.approx(cell, abs=1e-7)


def test_8_bits_are_near_and_do_not_depend_on_the_batch() -> None:
    plain = encoder(hidden=32, layers=2)
    quick, codes = OnnxEncoder(plain, int8=True), text(40, 60)
    with torch.inference_mode():
        wanted, _ = plain(plain.embed(codes))
        found, _ = quick(quick.embed(codes))
        alone, _ = quick(quick.embed(codes[7:8]))
    apart = (found - wanted).abs()
    assert EXACT < float(apart.max()) < 0.02
    assert float((alone[0] - found[7]).abs().max()) < 1e-5


@pytest.mark.parametrize("both", [True, False])
def test_a_classifier_says_the_same(tmp_path: Path, both: bool) -> None:
    module = classifier(PoolHeadConfig(width=5), aligned(33), both_strands=both, layers=2)
    model = Classifier(classifier_bundle(tmp_path / "toy", module))
    quick = accelerated(model)
    windows = text(50, 33).numpy()
    assert isinstance(quick.module.members[0].encoder, OnnxEncoder)
    assert isinstance(model.module.members[0].encoder, AWDLSTM)  # this one stays as it is
    assert np.abs(quick.logits(windows) - model.logits(windows)).max() < EXACT * 10
    for one, other in zip(quick.logits_both_strands(windows), model.logits_both_strands(windows), strict=True):
        assert np.abs(one - other).max() < EXACT * 10
    found = difference(model, quick, windows)
    assert found.n == 50
    assert found.rms <= found.largest < EXACT
    assert (quick.name, quick.config) == (model.name, model.config)
    assert (quick.runtime, model.runtime) == ("onnx", "torch")


def test_sequences_of_any_length_go_through(tmp_path: Path) -> None:
    model = Classifier(classifier_bundle(tmp_path / "toy"))
    sequences = [text(1, length, seed=length)[0].numpy() for length in (3, 4, 5, 29, 30, 31, 200)]
    assert np.abs(accelerated(model).logits(sequences) - model.logits(sequences)).max() < EXACT * 10


def test_a_track_model_says_the_same_at_every_base(tmp_path: Path) -> None:
    model = TrackModel(track_bundle(tmp_path / "toy", random_tracks(members=2)))
    codes = text(2, 600).numpy()
    for quick, most in ((accelerated(model), EXACT), (accelerated(model, "onnx-int8"), 0.01)):
        for one, other in zip(quick.probabilities_along(codes), model.probabilities_along(codes), strict=True):
            assert np.abs(one - other).max() < most


def test_load_takes_a_runtime(tmp_path: Path) -> None:
    classifier_bundle(tmp_path / "toy")
    assert isinstance(dnalm.load(tmp_path / "toy", runtime="onnx").module.members[0].encoder, OnnxEncoder)
    assert isinstance(dnalm.load(tmp_path / "toy").module.members[0].encoder, AWDLSTM)
    with pytest.raises(InputError, match="runtime is 'onx'"):
        dnalm.load(tmp_path / "toy", runtime="onx")


def test_what_cannot_be_run_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Classifier(classifier_bundle(tmp_path / "toy"))
    model.device = torch.device("cuda")
    with pytest.raises(InputError, match="device cpu"):
        accelerated(model)
    model.device = torch.device("cpu")
    real = builtins.__import__

    def without(name: str, *rest, **more):
        if name.startswith("onnxruntime"):
            raise ModuleNotFoundError(name="onnxruntime")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"pip install 'dnalm\[onnx\]'"):
        accelerated(model)


def test_a_language_model_is_refused() -> None:
    from types import SimpleNamespace

    model = SimpleNamespace(name="lm", config=SimpleNamespace(kind="language-model"), module=language_model())
    with pytest.raises(InputError, match="is a language model"):
        accelerated(model)


def test_difference_by_hand() -> None:
    class Says:
        def __init__(self, *rows: list[float]) -> None:
            self.rows = np.array(rows, np.float32)

        def probabilities(self, windows: np.ndarray) -> np.ndarray:
            return self.rows[: len(windows)]

    exact, quick = Says([0.25, 0.75], [0.5, 0.5]), Says([0.5, 0.5], [0.5, 0.5])
    found = difference(exact, quick, np.zeros((2, 4), np.uint8))
    assert found == Difference(0.25, pytest.approx(0.25 / 2**0.5), 2)
    assert found.as_dict() == {"largest": 0.25, "rms": found.rms, "n": 2}


def test_sample_windows_are_spread_evenly_and_read_both_strands() -> None:
    record = Record("toy", random_codes(100))
    found = sample_windows(record, 20, 71, window=9, anchor=3, count=3)  # sites 20, 45 and 70
    wanted = [record.codes[17:26], reverse_complement(record.codes[40:49]), record.codes[67:76]]
    assert found.tolist() == np.stack(wanted).tolist()
    assert len(sample_windows(record, 20, 25, window=9, anchor=3)) == 5


def test_the_graph_passes_the_checker() -> None:
    import onnx

    for int8 in (False, True):
        onnx.checker.check_model(onnx.load_from_string(encoder_graph(encoder(layers=2), int8=int8)))
