"""Training a model that scans: what is known of each base, which segments are read, and that it learns and resumes."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from dnalm.alphabet import UNKNOWN, encode
from dnalm.errors import InputError
from dnalm.evaluation.track_run import train_track
from dnalm.model.box_path import BoxPath
from dnalm.model.predict import TrackModel, load
from dnalm.training.config import ANY_CONFIG, TrackTrainConfig
from dnalm.training.loop import Loop
from dnalm.training.track import losses
from dnalm.training.track_text import EDGE, Segments, TrackText

SMALL = {
    "network": {"motifs": 8, "motif_width": 31, "channels": 8, "dilations": [1, 2], "dropout": 0.0},
    "segment": 100,
    "batch_size": 4,
    "compute": {"accelerator": "cpu", "threads": 1},
}


def genome_folder(tmp_path, *, length=6000, starts=60):
    """A random genome with TATAAT before each start of both strands, one gene behind each start on the forward one."""
    generator = np.random.default_rng(5)
    bases = generator.choice(list("ACGT"), length)
    rows, genes = ["record\ttss\tstrand"], ["##gff-version 3"]
    for number in range(starts):
        at = 20 + number * (length - 60) // starts
        if number % 2:
            bases[at + 7 : at + 13] = list("ATTATA")
            rows.append(f"toy\t{at + 1}\t-")
        else:
            bases[at - 12 : at - 6] = list("TATAAT")
            rows.append(f"toy\t{at + 1}\t+")
            genes.append(f"toy\tx\tCDS\t{at + 11}\t{at + 40}\t.\t+\t0\tID=g{number}")
    (tmp_path / "toy.fa").write_text(">toy\n" + "".join(bases) + "\n")
    (tmp_path / "starts.tsv").write_text("\n".join(rows) + "\n")
    (tmp_path / "genes.gff").write_text("\n".join(genes) + "\n")
    return tmp_path


def configured(folder, **fields):
    told = {"genome": str(folder / "toy.fa"), "starts": str(folder / "starts.tsv"), **SMALL}
    return TrackTrainConfig(**{**told, "annotation": str(folder / "genes.gff"), **fields})


def test_what_is_known_of_each_base(tmp_path):
    folder = genome_folder(tmp_path)
    (folder / "genes.gff").write_text("toy\tx\tCDS\t11\t19\t.\t+\t0\tID=a\ntoy\tx\tCDS\t31\t36\t.\t-\t0\tID=b\n")
    (folder / "starts.tsv").write_text("tss\tstrand\n6\t+\n50\t-\n")
    text = TrackText.read(configured(folder, spread=0, train=["toy:1-2000"], test=["toy:3000-6000"]))
    first = text.offsets["toy"]
    assert (text.codes[:first] == UNKNOWN).all()
    assert np.flatnonzero(text.starts[0]).tolist() == [first + 5]
    assert np.flatnonzero(text.starts[1]).tolist() == [first + 49]
    assert text.frames[0, first + 10 : first + 19].tolist() == [1, 2, 3] * 3
    assert text.frames[1, first + 10 : first + 19].tolist() == [4, 5, 6] * 3
    # The reverse gene begins at its last base and is read backwards.
    assert text.frames[1, first + 30 : first + 36].tolist() == [3, 2, 1] * 2
    assert text.frames[0, first + 30 : first + 36].tolist() == [6, 5, 4] * 2
    assert np.flatnonzero(text.genes[0]).tolist() == [first + 10]
    assert np.flatnonzero(text.genes[1]).tolist() == [first + 35]
    assert text.frames[:, first + 20].tolist() == [0, 0]
    assert text.data["sites"] == {"train": 2, "valid": 0, "test": 0}


def test_a_bell_around_each_start(tmp_path):
    text = TrackText.read(configured(genome_folder(tmp_path), spread=2.0))
    at = text.offsets["toy"] + 20
    assert text.starts[0, at] == 1
    assert text.starts[0, at + 2] == pytest.approx(np.exp(-0.5))
    assert text.starts[0, at - 9] == 0


def test_segments_lie_in_their_regions_and_are_drawn_by_the_seed(tmp_path):
    config = configured(genome_folder(tmp_path), train=["toy:1001-1500", "toy:3001-3400"], valid=["toy:1-900"])
    text = TrackText.read(config)
    segments = Segments(text, "train", 100, 8, 0.5, EDGE, 3)
    allowed = {base for low, high in text.spans("train") for base in range(low, high)}
    for step in range(20):
        codes, starts, frames, genes = segments(step)
        assert codes.shape == (8, 100 + 2 * EDGE)
        assert starts.shape == frames.shape == genes.shape == (8, 2, 100)
        for row in codes.numpy():
            text_at = text.codes.tobytes().find(row.tobytes())
            assert {text_at + EDGE, text_at + EDGE + 99} <= allowed
    again = Segments(text, "train", 100, 8, 0.5, EDGE, 3)(7)
    assert all(torch.equal(one, other) for one, other in zip(segments(7), again, strict=True))
    shares = [segments(7, rank, 2)[0] for rank in range(2)]
    assert torch.equal(torch.stack([shares[0], shares[1]], 1).flatten(0, 1), segments(7)[0])
    other = Segments(text, "train", 100, 8, 0.5, EDGE, 4)(7)
    assert not torch.equal(other[0], again[0])


def test_the_losses_of_answers_that_are_right_are_small(tmp_path):
    from dnalm.model.track_model import Answers

    config = configured(genome_folder(tmp_path))
    _, starts, frames, genes = Segments(TrackText.read(config), "train", 100, 2, 1.0, EDGE, 0)(0)

    def said(strand, sign):
        wide = torch.nn.functional.pad
        start = sign * 40 * (starts[:, strand] > 0.5).float() - sign * 20
        codons = sign * 40 * torch.nn.functional.one_hot(frames[:, strand], 7).float()
        gene = sign * 40 * genes[:, strand] - sign * 20
        return Answers(wide(start, (EDGE, EDGE)), wide(codons, (0, 0, EDGE, EDGE)), wide(gene, (EDGE, EDGE)))

    right, wrong = (losses(config, (said(0, s), said(1, s)), (starts, frames, genes)) for s in (1, -1))
    assert right["frames"] < 1e-6
    assert right["genes"] < 1e-3
    assert all(wrong[name] > 10 * right[name] + 1 for name in wrong)
    assert set(losses(configured(tmp_path, weight_genes=0), (said(0, 1), said(1, 1)), (starts, frames, genes))) == {
        "starts",
        "frames",
    }


def test_regions_of_two_parts_that_overlap_are_refused(tmp_path):
    folder = genome_folder(tmp_path)
    with pytest.raises(InputError, match=r"toy:1,900-2,100 of valid overlaps toy:1-2,000 of train"):
        TrackText.read(configured(folder, train=["toy:1-2000"], valid=["toy:1900-2100"]))
    with pytest.raises(InputError, match="does not lie in"):
        TrackText.read(configured(folder, train=["toy:1-7000"]))
    with pytest.raises(InputError, match="no training region"):
        TrackText.read(configured(folder, test=["toy:1-70"]))
    with pytest.raises(InputError, match="has no annotation"):
        TrackText.read(configured(folder, annotation=None))


def test_one_encoder_at_most():
    with pytest.raises(ValidationError, match="one of model and from_scratch"):
        TrackTrainConfig(genome="a", starts="b", model="c", from_scratch=True)
    assert isinstance(ANY_CONFIG.validate_python({"phase": "track", "genome": "a", "starts": "b"}), TrackTrainConfig)


def test_it_learns_and_a_run_broken_off_ends_as_an_unbroken_one(tmp_path, monkeypatch):
    folder = genome_folder(tmp_path)
    told = {"annotation_steps": 30, "steps": 150, "members": 2, "checkpoint_seconds": 0}
    config = configured(folder, **told, optimizer={"learning_rate": 2e-2})
    assert [name for name, _, _ in config.stages] == ["annotation-1", "network-1", "annotation-2", "network-2"]
    whole = train_track(config, tmp_path / "whole")

    steps, original = [], Loop._check

    def interrupting(self, *args):
        steps.append(1)
        if len(steps) == 260:  # in the second network
            raise KeyboardInterrupt
        return original(self, *args)

    monkeypatch.setattr(Loop, "_check", interrupting)
    with pytest.raises(KeyboardInterrupt):
        train_track(config, tmp_path / "broken")
    monkeypatch.undo()
    resumed = train_track(config, tmp_path / "broken")
    model, other = load(whole.folder), load(resumed.folder)
    assert isinstance(model, TrackModel)
    for one, two in zip(model.module.state_dict().values(), other.module.state_dict().values(), strict=True):
        assert torch.equal(one, two)
    # Two networks from two seeds, averaged.
    # The boxes were learned from the known starts before, and left alone.
    assert torch.equal(*(member.boxes.minus_10 for member in model.module.members))
    assert not torch.equal(model.module.members[0].boxes.minus_10, BoxPath().minus_10)
    first, second = (member.motifs.weight for member in model.module.members)
    assert not torch.equal(first, second)
    figures = whole.metrics["test"]["figures"]
    assert figures["auprc_within_10"]["value"] > 0.25  # by chance about .1
    assert whole.config.trained["regions"]["test"] == ["toy:4801-6000"]
    assert f"On the {figures['auprc_within_10']['n']} known starts of the test regions" in whole.card
    ahead, back = model.probabilities_along(encode("GCGCGC" * 6 + "TATAAT" + "GCGCGC" * 6)[None])
    assert abs(int(ahead[0].argmax()) - (36 + 12)) <= 3
    assert back[0].max() < ahead[0].max()
