"""Scanning 40 kb window by window, beside fastai's modules, one window at a time, and in ONNX Runtime.

The model is the one that the ancestor scanned with, at the preset `small`: 100 bp windows, one strand read, concat
pooling. Its weights are drawn at random: speed does not ask what they are. dnalm's time goes from a record to a track
of both strands; fastai's modules get the token ids of all windows ready made. How far 8 bits lead away is measured on
a shipped model, since it does ask.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import dnalm
from benchmarks import fastai_peer
from benchmarks.table import Row
from benchmarks.timing import Timings, take_turns
from benchmarks.training import PEAK_SIDE
from dnalm.alphabet import reverse_complement
from dnalm.model.bundle import write_bundle
from dnalm.model.classifier import SequenceClassifier
from dnalm.model.config import PRESETS, BundleConfig, EncoderConfig, MemberConfig, PoolHeadConfig
from dnalm.model.doors import kmer_ids
from dnalm.model.onnx_runtime import accelerated, difference
from dnalm.model.predict import Classifier
from dnalm.sequences import Record, Region, read_records
from dnalm.settings import PACKAGE_ROOT
from dnalm.tracks import gather, scan
from dnalm.tracks.scan import window_of
from dnalm.tracks.windows import site_windows

GENOME = PACKAGE_ROOT / "data" / "genomes" / "ecoli_k12_mg1655.fna.gz"
FIRST, BASES, WINDOW, STRIDE = 800_000, 40_000, 100, 50
FASTAI_BATCH, LARGE_BATCH = 64, 160
"""Windows in a batch: fastai's default, and one that suits both sides."""
TRAINED = "ecoli-starts-150"
EXACT = 1e-6
"""Largest difference in probability of what is called exact."""
_ROUNDS = 15
_SUBJECT = "40 kb, 100 bp windows, stride 50, both strands"


def measure() -> list[Row]:
    """All rows; what is called exact is held against one window at a time before anything is timed."""
    record = next(iter(read_records(GENOME)))
    region = Region(record.id, FIRST, FIRST + BASES)
    with tempfile.TemporaryDirectory() as folder:
        model = ancestor_like(Path(folder) / "ancestor-like")
    models = {"dnalm": model, "onnx": accelerated(model), "onnx-int8": accelerated(model, "onnx-int8")}
    windows = windows_of(record, region)
    plain = one_at_a_time(model, windows)
    works: dict[str, Callable[[], object]] = {}
    for name, one in models.items():
        track = gather(scan(one, record, region=region, stride=STRIDE))
        found = np.concatenate([*track.strands().values()])
        apart = float(np.abs(found - plain).max())
        if name != "onnx-int8":
            assert apart < EXACT, f"{name}: {apart}"
        works[name] = lambda one=one: gather(scan(one, record, region=region, stride=STRIDE))
    works["one at a time"] = lambda: one_at_a_time(model, windows)
    if fastai_peer.fastai() is not None:
        encoder = model.config.members[0].encoder
        peer = fastai_peer.classifier(encoder, 2).eval()
        ids = kmer_ids(torch.from_numpy(windows), encoder.tokenizer)
        works["fastai"] = lambda: by_fastai(peer, ids, FASTAI_BATCH)
        works["fastai, large batches"] = lambda: by_fastai(peer, ids, LARGE_BATCH)
    square = torch.randn(PEAK_SIDE, PEAK_SIDE)
    out = torch.empty_like(square)
    works["peak"] = lambda: torch.mm(square, square, out=out)
    rows = rows_of(take_turns(works, rounds=_ROUNDS), model.config.members[0].encoder, len(windows))
    return [*rows, *differences(record, region)]


def differences(record: Record, region: Region) -> list[Row]:
    """How far the probabilities of a shipped model lie from PyTorch's, over all sites of the region, both strands."""
    model = dnalm.load(TRAINED)
    assert isinstance(model, Classifier)
    width, anchor = window_of(model)
    sites = np.arange(region.start, region.end, STRIDE)
    windows = np.concatenate([site_windows(record, sites, STRIDE, width, anchor, strand)[0] for strand in "+-"])
    rows = []
    for name, words, aim in (("onnx", "ONNX Runtime float32", 10.0), ("onnx-int8", "ONNX Runtime int8", None)):
        apart = difference(model, accelerated(model, name), windows)
        said = f"{words}: largest difference in probability from PyTorch, in millionths"
        rows.append(Row(f"{TRAINED}, {apart.n:,} windows", said, 1e6 * apart.largest, "", aim=aim, at_most=True))
        rms = f"{words}: root mean square of it, in millionths"
        rows.append(Row(f"{TRAINED}, {apart.n:,} windows", rms, 1e6 * apart.rms, ""))
    return rows


def ancestor_like(folder: Path) -> Classifier:
    """An untrained classifier of 100 bp windows: one strand, concat pooling, a layer of 50."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        member = MemberConfig(encoder=PRESETS["small"], head=PoolHeadConfig(), both_strands=False)
        module = SequenceClassifier([member], 2).eval()
    told = {"labels": ["other", "promoter"], "positive": "promoter", "window": WINDOW, "anchor": WINDOW // 2}
    config = BundleConfig(kind="classifier", name=folder.name, members=[member], **told)
    return Classifier(write_bundle(folder, config, module, {}, ""))


def windows_of(record: Record, region: Region) -> NDArray[np.uint8]:
    """What a scan of a region of a record reads: forward windows, then those of the reverse strand, as codes."""
    sites = np.arange(region.start, region.end, STRIDE)
    ahead = [record.codes[site - WINDOW // 2 : site - WINDOW // 2 + WINDOW] for site in sites]
    first = [site - (WINDOW - 1 - WINDOW // 2) for site in sites]
    back = [reverse_complement(record.codes[start : start + WINDOW]) for start in first]
    return np.stack([*ahead, *back])


def one_at_a_time(model: Classifier, windows: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Probability of the second class, a call a window."""
    return np.array([model.probabilities(window[None])[0, 1] for window in windows])


def by_fastai(peer: torch.nn.Module, ids: Tensor, size: int) -> Tensor:
    """Probabilities of all windows by fastai's modules, in batches."""
    found = []
    with torch.inference_mode():
        for batch in ids.split(size):
            fastai_peer.batch(peer, len(batch))
            found.append(peer(batch)[0].softmax(-1))
    return torch.cat(found)


def flops_a_window(config: EncoderConfig, classes: int, *, table: bool) -> int:
    """Floating-point operations of reading one window: matrix products of LSTM and head.

    Args:
        config: the encoder.
        classes: of the head, whose hidden layer is 50 wide.
        table: what the first layer's input adds, and the whole first token, are looked up in tables.
    """
    tokens = config.tokenizer.count(WINDOW)
    lstm = [4 * width * (inputs + width) for inputs, width in config.layer_sizes()]
    head = 3 * config.output_size * PoolHeadConfig().width + PoolHeadConfig().width * classes
    if table:
        first_inputs, first_width = config.layer_sizes()[0]
        return 2 * ((tokens - 1) * (sum(lstm) - 4 * first_width * first_inputs) + head)
    return 2 * (tokens * sum(lstm) + head)


def rows_of(timings: Timings, config: EncoderConfig, windows: int) -> list[Row]:
    """Rows from the seconds of one scan and of one large product."""
    rows = []
    aims = {
        "fastai": (f"fastai's modules, batches of {FASTAI_BATCH}", {"onnx": 1.3, "onnx-int8": 2.0}),
        "fastai, large batches": (f"fastai's modules, batches of {LARGE_BATCH}", {}),
        "one at a time": ("one window at a time", {"dnalm": 3.0, "onnx": 3.0}),
        "dnalm": ("dnalm in PyTorch", {}),
    }
    names = {"dnalm": "PyTorch", "onnx": "ONNX Runtime float32", "onnx-int8": "ONNX Runtime int8"}
    for slower, (words, wanted) in aims.items():
        for faster, ours in names.items():
            if slower in timings.seconds and slower != faster:
                ratio = timings.ratio(slower, faster)
                said = f"{ours}, beside {words}"
                rows.append(Row(_SUBJECT, said, ratio.value, "x", ratio.low, ratio.high, wanted.get(faster)))
    for name in ("dnalm", "onnx"):
        work = windows * flops_a_window(config, 2, table=name == "onnx") / (2 * PEAK_SIDE**3)
        ratio = timings.ratio("peak", name)
        low, value, high = (100 * work * part for part in (ratio.low, ratio.value, ratio.high))
        rows.append(Row(_SUBJECT, f"{names[name]}, share of matrix-multiply peak", value, "%", low, high, 80.0))
    peak = 2 * PEAK_SIDE**3 / timings.median("peak") / 1e9
    rows.append(Row(_SUBJECT, f"torch.mm of {PEAK_SIDE} x {PEAK_SIDE}, float32", peak, "GFLOP/s"))
    rows += [Row(_SUBJECT, ours, timings.median(name), "s") for name, ours in names.items()]
    return rows
