"""Reading frames: lengths and codons where they are known by hand, on codes and on soft bases alike."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.alphabet import encode
from dnalm.model.doors import one_hot
from dnalm.model.frames import CODONS, frames

STOPS = ("TAA", "TAG", "TGA")


def read(*texts: str) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(map(len, texts))
    codes = np.stack([np.pad(encode(text), (0, longest - len(text)), constant_values=4) for text in texts])
    return frames(one_hot(torch.from_numpy(codes).long()))


def by_hand(text: str) -> tuple[int, int]:
    """Codons of the longest stretch from an ATG, and of the longest without a stop, frame by frame."""
    best = free_best = 0
    for frame in range(3):
        inside = free = 0
        for start in range(frame, len(text) - 2, 3):
            codon = text[start : start + 3]
            if codon in STOPS or set(codon) - set("ACGT"):
                inside = free = 0
                continue
            free += 1
            inside = inside + 1 if inside or codon == "ATG" else 0
            best, free_best = max(best, inside), max(free_best, free)
    return best, free_best


@pytest.mark.parametrize(
    ("text", "codons"),
    [
        ("ATGAAACCCTAA", 3),
        ("CATGAAATAA", 2),
        ("CCCCCC", 0),
        ("ATGAAATAAATGCCCGGGTTTTGA", 4),
        ("ATGNAACCC", 1),
        ("AT", 0),
        ("ATGATGATG", 3),
    ],
)
def test_the_longest_stretch_from_an_atg_is_found_in_any_frame(text, codons):
    extents, _ = read(text)
    assert torch.expm1(extents[0, 0]).item() == pytest.approx(codons, abs=1e-4)
    assert extents[0, 2].item() == pytest.approx(3 * codons / max(1, len(text.replace("N", ""))), abs=1e-5)
    assert extents[0, 4].item() == pytest.approx(math.log(len(text.replace("N", ""))), abs=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("ACGT", min_size=1, max_size=60), min_size=1, max_size=4))
def test_what_is_found_is_what_reading_codon_by_codon_finds_whatever_stands_beside(texts):
    extents, usage = read(*texts)
    for number, text in enumerate(texts):
        best, free = by_hand(text)
        assert torch.expm1(extents[number, 0]).item() == pytest.approx(best, abs=1e-3)
        assert torch.expm1(extents[number, 1]).item() == pytest.approx(free, abs=1e-3)
        alone_extents, alone_usage = read(text)
        assert torch.allclose(extents[number], alone_extents[0], atol=1e-5)
        assert torch.allclose(usage[number], alone_usage[0], atol=1e-5)


def test_the_codons_of_that_stretch_are_counted_and_no_others():
    _, usage = read("GGGATGAAAAAATAAGGGGGG", "CCCCCC")
    shares = usage[0, :CODONS].square()
    aaa, atg = 0, 3 * 4 + 2
    assert shares[aaa].item() == pytest.approx(2 / 3)
    assert shares[atg].item() == pytest.approx(1 / 3)
    assert shares.sum().item() == pytest.approx(1)
    pairs = usage[0, CODONS:].square().reshape(CODONS, CODONS)
    assert pairs[atg, aaa].item() == pytest.approx(1 / 2)
    assert pairs[aaa, aaa].item() == pytest.approx(1 / 2)
    assert usage[1].abs().sum() == 0


@settings(max_examples=40, deadline=None)
@given(st.text("ACGTN", min_size=3, max_size=80))
def test_soft_bases_that_are_nearly_known_read_as_the_known_ones(text):
    bases = one_hot(torch.from_numpy(encode(text)).long()[None]).double()
    known, usage = frames(bases)
    nearly, nearly_usage = frames(bases * (1 - 1e-9) + (bases.sum(-1, keepdim=True) > 0) * 2.5e-10)
    assert torch.allclose(known, nearly, atol=1e-5)
    assert torch.allclose(usage, nearly_usage, atol=1e-3)


def test_soft_bases_have_a_gradient_that_is_finite():
    bases = one_hot(torch.from_numpy(encode("GGGATGAAACCCTAA")).long()[None]) * 0.97 + 0.01
    bases.requires_grad_()
    extents, usage = frames(bases)
    (extents.sum() + usage.sum()).backward()
    assert torch.isfinite(bases.grad).all()
    assert bases.grad.abs().sum() > 0
