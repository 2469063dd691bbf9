"""Counting what a language model's text held: sequences taken from known places of a made-up genome."""

from __future__ import annotations

import numpy as np
import pytest
from toy_models import language_model_bundle, random_codes, tiny_encoder, toy_dataset, write_genome

from dnalm.alphabet import reverse_complement
from dnalm.sequences import read_records
from dnalm.training.config import FinetuneConfig, PretrainConfig
from dnalm.training.finetune import finetune
from dnalm.training.pretrain import pretrain
from dnalm.training.seen import seen_in_pretraining

CPU = {"accelerator": "cpu", "threads": 1}


@pytest.fixture
def genome(home, tmp_path):
    return write_genome(tmp_path / "toy.fna", 6000)


@pytest.fixture
def model(genome, tmp_path):
    told = PretrainConfig(genomes=[str(genome)], steps=2, lanes=4, tokens=16, encoder=tiny_encoder(), compute=CPU)
    pretrain(told, tmp_path / "run")
    return tmp_path / "run" / "bundle"


@pytest.fixture
def sequences(genome):
    codes = next(iter(read_records(genome))).codes
    read = [codes[100:160], codes[5000:5060], reverse_complement(codes[300:360])]
    read += [np.concatenate([random_codes(40, 1), codes[700:720]])]  # 20 bases are enough
    not_read = [codes[5700:5760], random_codes(60, 2), np.concatenate([random_codes(41, 3), codes[900:919]])]
    return read + not_read


def test_only_what_the_training_text_held_is_counted(model, sequences):
    seen = seen_in_pretraining(model, sequences)
    assert (seen.shared, seen.of) == (4, 7)
    assert seen.sentence("toy-lm", "test sequences") == (
        "The pre-training text of toy-lm held, without labels, a stretch of 20 bases or more of 4 of the 7 "
        "test sequences"
    )


def test_what_cannot_be_counted_says_why(model, sequences, genome, tmp_path):
    long = seen_in_pretraining(model, sequences, most=100)
    assert (long.shared, long.why) == (None, "the text has 5,401 bases")  # and what parts records
    genome.unlink()
    seen = seen_in_pretraining(model, sequences)
    assert seen.shared is None
    assert str(genome) in seen.sentence("toy-lm", "test sequences")
    untold = language_model_bundle(tmp_path / "untold-lm").folder
    assert seen_in_pretraining(untold, sequences).why == "its bundle does not say what it read"


def test_of_a_fine_tuned_model_its_parents_text_is_looked_through(model, sequences, home, tmp_path):
    data = toy_dataset(tmp_path / "boxes")
    told = FinetuneConfig(model=str(model), dataset=str(data.folder), epochs=1, compute=CPU)
    finetune(told, tmp_path / "tuned")
    assert seen_in_pretraining(tmp_path / "tuned" / "bundle", sequences).shared == 4
