"""Classifier heads: pools worked out by hand, padding that changes nothing, gradients that reach every base."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toy_models import aligned, classifier, random_codes, tiny_encoder

from dnalm.alphabet import encode
from dnalm.model.config import MemberConfig, PoolHeadConfig, WideHeadConfig
from dnalm.model.doors import one_hot
from dnalm.model.heads import Encoding, WideHead, make_head, pools
from dnalm.model.predict import pad

LENGTH = 31
HEADS = {
    "pool": PoolHeadConfig(width=7),
    "aligned": aligned(LENGTH),
    "wide": WideHeadConfig(length=LENGTH, components=4, kmer=2, window_kmers=(2,), place_kmers=(2,)),
    "wide, any length": WideHeadConfig(components=4, kmer=3, half_word=2),
    "wide, of wholes": WideHeadConfig(components=4, kmer=2, gapped_kmers=((2, 3),)),
}
ANY_LENGTH = ["pool", "wide, any length", "wide, of wholes"]


def test_pools_by_hand():
    states = torch.tensor([[[1.0, -5], [3, -1], [99, 99]], [[2.0, 0], [0, 0], [-2, 6]]])
    last, highest, mean = pools(states, torch.tensor([2, 3]))
    assert last.tolist() == [[3, -1], [-2, 6]]
    assert highest.tolist() == [[3, -1], [2, 6]]
    assert mean.tolist() == [[2, -3], [0, 2]]
    for alone, together in zip(pools(states[1:], torch.tensor([3])), (last, highest, mean), strict=True):
        assert alone.tolist() == together[1:].tolist()  # no padding in the batch: another way to the same


def blocks(text: str, **fields) -> dict[str, torch.Tensor]:
    """A wide head's features by block, of one sequence that the encoder says nothing of."""
    head = WideHead(WideHeadConfig(**fields), tiny_encoder(), strands=1, classes=2)
    codes = torch.from_numpy(encode(text)[None])
    silent = torch.zeros(1, head.config.length or 2, 12)
    return head.blocks(Encoding(silent, None, torch.tensor([1]), one_hot(codes)))


def test_kmer_shares_by_hand():
    # ACAC and one base of padding: two A and two C of four; AC, CA, AC of three, in the order AA AC AG AT CA ...
    expected = [0.5, 0.5, 0, 0] + [0, 2 / 3, 0, 0, 1 / 3] + [0] * 11
    assert blocks("ACACN", kmer=2)["kmers"][0].tolist() == pytest.approx(expected)


def test_kmers_in_place_by_hand():
    found = blocks("ACNGT", length=5, window_kmers=(), place_kmers=(2,))["places"][0].view(4, 16)
    kmers = [a + b for a in "ACGT" for b in "ACGT"]
    assert [(int(place), kmers[kmer]) for place, kmer in found.nonzero()] == [(0, "AC"), (3, "GT")]


def test_gapped_kmers_by_hand():
    # AATCC: the pairs AA.CC and, on the other strand, GG.TT with one base between; those side by side with none.
    found = blocks("AATCC", kmer=0, gapped_kmers=((2, 2),))["gapped"][0].view(2, 16, 16)
    kmers = [a + b for a in "ACGT" for b in "ACGT"]
    pairs = [(int(gap), kmers[a] + kmers[b]) for gap, a, b in found.nonzero()]
    assert pairs == [(0, "AATC"), (0, "ATCC"), (0, "GATT"), (0, "GGAT"), (1, "AACC"), (1, "GGTT")]
    assert found.max() == pytest.approx(np.log(2))
    # ATAT is its own reverse complement: counted on both strands.
    assert blocks("ATAT", kmer=0, gapped_kmers=((2, 1),))["gapped"].max() == pytest.approx(np.log(3))
    assert not blocks("AT", kmer=0, gapped_kmers=((2, 3),))["gapped"].any()


def test_words_by_hand():
    # Words of four in TATAATN: TATA, ATAA, TAAT; what holds the unknown base is none.
    found = blocks("TATAATN", kmer=0, half_word=2)["words"][0].view(16, 16)
    kmers = [a + b for a in "ACGT" for b in "ACGT"]
    assert [kmers[a] + kmers[b] for a, b in found.nonzero()] == ["ATAA", "TAAT", "TATA"]
    assert blocks("AAAAAAA", kmer=0, half_word=2)["words"].max() == 1  # once, however often it stands there


def test_words_of_a_sequence_shorter_than_they_are():
    assert not blocks("TAT", kmer=0, half_word=2)["words"].any()


def test_kmers_in_windows_by_hand():
    # A 2-mer can start at 0 to 5; windows of three starts are centred on 0 and 4: starts 0 to 1, and 3 to 5.
    found = blocks("AACCNTT", length=7, window_kmers=(2,), window=3, window_step=4)["windows"]
    kmers = [a + b for a in "ACGT" for b in "ACGT"]
    first, second = found[0].view(2, 16)
    assert [kmers[n] for n in first.nonzero()[:, 0]] == ["AA", "AC"]  # CC starts at 2, outside both
    assert [kmers[n] for n in second.nonzero()[:, 0]] == ["TT"]


def test_a_kmer_counts_once_in_a_window():
    assert blocks("AAAAAAA", length=7, window_kmers=(2,), window=5, window_step=10)["windows"].max() == 1


@pytest.mark.parametrize("both_strands", [False, True])
@pytest.mark.parametrize("name", HEADS)
def test_every_head_gives_a_logit_for_each_class(name, both_strands):
    module = classifier(HEADS[name], both_strands=both_strands, classes=3)
    codes = torch.from_numpy(random_codes(4 * LENGTH).reshape(4, LENGTH))
    assert module(codes, torch.full((4,), LENGTH)).shape == (4, 3)


@pytest.mark.parametrize("both_strands", [False, True])
@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize(("k", "stride"), [(1, 1), (2, 1), (3, 2), (4, 3)])
def test_both_doors_agree(name, both_strands, k, stride):
    module = classifier(HEADS[name], both_strands=both_strands, k=k, stride=stride)
    codes = torch.from_numpy(random_codes(4 * LENGTH, unknown=0.05).reshape(4, LENGTH))
    lengths = torch.full((4,), LENGTH)
    if name in ANY_LENGTH:
        lengths = torch.tensor([LENGTH, LENGTH - 1, 17, 8])
        codes = torch.where(torch.arange(LENGTH) < lengths[:, None], codes, 4)
    torch.testing.assert_close(module.from_bases(one_hot(codes), lengths), module(codes, lengths), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", HEADS)
def test_the_gradient_reaches_every_base(name):
    module = classifier(HEADS[name])
    codes = torch.from_numpy(random_codes(2 * LENGTH).reshape(2, LENGTH))
    bases = one_hot(codes).requires_grad_()
    module.from_bases(bases, torch.full((2,), LENGTH))[:, 1].sum().backward()
    assert bases.grad.shape == (2, LENGTH, 4)
    assert (bases.grad.abs().sum(-1) > 0).all()


@pytest.mark.parametrize("both_strands", [False, True])
@pytest.mark.parametrize("name", ANY_LENGTH)
def test_padding_changes_nothing(name, both_strands):
    module = classifier(HEADS[name], both_strands=both_strands)
    sequences = [random_codes(length, seed=length) for length in (9, 20, 33, 12)]
    lengths = torch.tensor([len(codes) for codes in sequences])
    together = module(pad(sequences), lengths)
    for row, codes in zip(together, sequences, strict=True):
        alone = module(torch.from_numpy(codes[None]), torch.tensor([len(codes)]))
        torch.testing.assert_close(row[None], alone, rtol=1e-5, atol=1e-6)


def test_padding_changes_nothing_in_training():
    """Batch norms see each sequence's features alone, so what is behind a sequence's end does not reach them either."""
    module = classifier(PoolHeadConfig(width=7, dropout=0)).train()
    sequences = [random_codes(length, seed=length) for length in (9, 20, 12)]
    lengths = torch.tensor([len(codes) for codes in sequences])
    wider = torch.cat([pad(sequences), torch.full((3, 10), 4, dtype=torch.uint8)], 1)
    torch.testing.assert_close(module(wider, lengths), module(pad(sequences), lengths), rtol=1e-5, atol=1e-6)


def test_an_aligned_head_begins_without_its_linear_path():
    head = make_head(aligned(LENGTH), tiny_encoder(), both_strands=True, classes=2)
    assert head.linear.weight.abs().sum() == 0
    assert head.linear.weight.shape == (2, 4 * LENGTH)


def test_the_linear_path_alone_reads_bases_in_place():
    """With the rest silenced, an aligned head is a position weight matrix."""
    module = classifier(aligned(LENGTH))
    head = module.members[0].head
    with torch.no_grad():
        head.mlp[-1].weight.zero_()
        head.mlp[-1].bias.zero_()
        head.linear.weight.zero_()
        head.linear.bias.zero_()
        head.linear.weight[1].view(LENGTH, 4)[5, 2] = 3.0  # a G at base 5
    codes = torch.zeros(2, LENGTH, dtype=torch.uint8)
    codes[1, 5] = 2
    assert module(codes, torch.full((2,), LENGTH)).tolist() == [[0, 0], [0, 3]]


def test_a_member_sums_up_its_parameters_in_groups():
    config = MemberConfig(encoder=tiny_encoder(layers=2), head=PoolHeadConfig())
    from dnalm.model.classifier import Member

    member = Member(config, 2)
    groups = member.layer_groups()
    assert len(groups) == 4  # embedding, two layers, head
    assert {id(p) for group in groups for p in group} == {id(p) for p in member.parameters()}
    assert np.all([p.requires_grad for p in member.parameters()])
