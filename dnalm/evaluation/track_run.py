"""The training of a model that scans, as a run: trained, given its threshold, measured where it was not trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dnalm.datasets.region_split import PARTS
from dnalm.evaluation.track_card import track_card
from dnalm.model.bundle import Bundle, write_bundle
from dnalm.model.config import BundleConfig
from dnalm.model.predict import TrackModel
from dnalm.model.track_model import Tracks
from dnalm.tracks import gather, scan
from dnalm.tracks.calls import Calls, calls_of
from dnalm.tracks.evaluate import evaluate
from dnalm.tracks.scored import score
from dnalm.training.curve import draw_curve
from dnalm.training.loop import Progress, make_fabric
from dnalm.training.run import RunFolder
from dnalm.training.track import Beginning, fit_tracks
from dnalm.training.track_config import TrackTrainConfig
from dnalm.training.track_text import TrackText

LABELS = ["elsewhere", "promoter start"]
TOLERANCES = (10, 20, 50, 100, 250)


def train_track(config: TrackTrainConfig, path: Path, progress: Progress | None = None) -> Bundle:
    """Train a track model in a run folder, from its last checkpoint where there is one.

    Args:
        config: what to do.
        path: the run folder; made where it is not there.
        progress: called about once a second.

    Returns:
        The bundle in the run folder: a track model.

    Raises:
        InputError: a file is not there, or does not fit.
        RunError: the run cannot go on.
    """
    run = RunFolder.open_or_create(path, config.model_dump(mode="json"))
    with run.failing_plainly():
        fabric = make_fabric(config.compute)
        fabric.launch()
        run.quiet = fabric.global_rank > 0
        text = TrackText.read(config)
        run.record("data", text.data)
        beginning = Beginning.load(config)
        tracks = fit_tracks(config, text, beginning, run, fabric, progress)
        if config.weights == "float16":
            tracks.half().float()  # so that what is measured is what is kept
        return _finish(config, run, text, beginning, tracks)


def _finish(config: TrackTrainConfig, run: RunFolder, text: TrackText, beginning: Beginning, tracks: Tracks) -> Bundle:
    tracks.to("cpu").eval()
    document = run.document()
    fields: dict[str, Any] = {
        "kind": "track",
        "name": config.name or run.path.name,
        "description": f"Track model of {text.data['files']['starts']['name']} on {text.records[0].id}",
        "tracks": [member.config for member in tracks.members],
        "labels": LABELS,
        "positive": LABELS[1],
        "window": config.segment + 1,
        "anchor": config.segment // 2,
        "threshold": 0.5,
        "modes": ["stream", "window"],
        "parents": beginning.parents,
        "trained": {
            **{key: document[key] for key in ("config", "versions", "data")},
            "regions": text.data["regions"],
        },
    }
    if run.quiet:
        return Bundle(run.path / "bundle", BundleConfig(**fields), {}, "")
    half = config.weights == "float16"
    draft = write_bundle(run.path / "bundle", BundleConfig(**fields), tracks, {}, "", half=half)
    model = TrackModel(draft)
    chosen = _best_threshold(model, text, config.tolerance)
    if chosen is not None:
        fields["threshold"] = chosen
    metrics = _measured(model, text, config, fields["threshold"])
    metrics["threshold_from"] = "on the validation regions for the best F1" if chosen is not None else "beforehand"
    bundle_config = BundleConfig(**fields)
    card = track_card(bundle_config, metrics, document)
    bundle = write_bundle(run.path / "bundle", bundle_config, tracks, metrics, card, half=half)
    draw_curve(run)
    run.finish({"bundle": "bundle", **metrics})
    return bundle


def calls_in(model: TrackModel, text: TrackText, part: str) -> list[Calls]:
    """All calls of a model in the regions of a part, without a threshold."""
    return [calls_of(gather(scan(model, text.record(one.record), region=one))) for one in text.regions[part]]


def _best_threshold(model: TrackModel, text: TrackText, tolerance: int) -> float | None:
    """The score from which calls in the validation regions have the best F1; none without known starts there."""
    truth = text.sites_in("valid")
    if not truth:
        return None
    scored = score(model.name, calls_in(model, text, "valid"), truth, tolerances=(tolerance,))
    row = evaluate(scored, generator=np.random.default_rng(0), resamples=0).row(tolerance=tolerance)
    recalls = np.arange(1, len(row.curve["precision"]) + 1) / 100
    points = list(zip(recalls, row.curve["precision"], row.curve["score"], strict=True))
    f1 = [(2 * recall * one / (recall + one), float(cut)) for recall, one, cut in points if one and cut is not None]
    return max(f1)[1] if f1 else None


def _measured(model: TrackModel, text: TrackText, config: TrackTrainConfig, threshold: float) -> dict[str, Any]:
    """Figures on the test regions, with block-bootstrap intervals."""
    truth = text.sites_in("test")
    regions = {part: [str(region) for region in text.regions[part]] for part in PARTS}
    found: dict[str, Any] = {
        "test": {"n": len(truth), "figures": {}},
        "regions": regions,
        "tolerance": config.tolerance,
    }
    if not truth:
        return found
    tolerances = sorted({*TOLERANCES, config.tolerance})
    scored = score(model.name, calls_in(model, text, "test"), truth, tolerances=tolerances, threshold=threshold)
    measured = evaluate(scored, generator=np.random.default_rng([config.seed, 13]))
    found["test"]["figures"] = {
        f"{name}_within_{tolerance}": figure.as_dict()
        for tolerance in tolerances
        for name, figure in measured.row(tolerance=tolerance).figures.items()
    }
    return found
