"""Motifs planted by hand in attributions: found again with their consensus, their places and their distance."""

from __future__ import annotations

import numpy as np
import pytest

from dnalm.alphabet import encode, reverse_complement
from dnalm.errors import InputError
from dnalm.interpret.elements import KNOWN, MINUS_10, MINUS_35, from_consensus, letters_of
from dnalm.interpret.matching import match_motifs
from dnalm.interpret.motif import from_anchor
from dnalm.interpret.motifs import find_motifs
from dnalm.interpret.place import share_at_place, share_by_chance, strongest_stretch
from dnalm.interpret.seqlets import find_seqlets
from dnalm.interpret.spacing import measure_spacing

LENGTH, ANCHOR = 81, 60
BOX_35, BOX_10 = ANCHOR - 35, ANCHOR - 12


def planted(n=120, *, seed=0, spacer=17, noise=0.1, turned=False):
    """Random sequences with both hexamers, each base of which adds 1, in noise."""
    rng = np.random.default_rng(seed)
    codes = [rng.integers(0, 4, LENGTH).astype(np.uint8) for _ in range(n)]
    scores = [rng.normal(0, noise, LENGTH) for _ in range(n)]
    for number, (bases, adds) in enumerate(zip(codes, scores, strict=True)):
        for start, word in ((BOX_10 - spacer - 6, "TTGACA"), (BOX_10, "TATAAT")):
            bases[start : start + 6] = encode(word)
            adds[start : start + 6] += 1
        if turned and number % 2:
            codes[number], scores[number] = reverse_complement(bases), adds[::-1].copy()
    return codes, scores


def rng(seed=0):
    return np.random.default_rng(seed)


def test_seqlets_are_the_planted_words_and_do_not_overlap():
    _, scores = planted(50)
    found = find_seqlets(scores, generator=rng())
    spans = {(one.start, one.end) for one in found.found}
    assert {(one.start + one.end) // 2 // 3 for one in found.found} == {(BOX_35 + 3) // 3, (BOX_10 + 3) // 3}
    assert len(found.found) == 100
    assert all(end - start in range(4, 11) for start, end in spans)
    assert found.estimated_fdr < 0.05
    assert all(abs(one.contribution - 6) < 2 for one in found.found)


def test_random_scores_give_nothing():
    for seed in range(5):
        codes = [rng(seed).integers(0, 4, LENGTH).astype(np.uint8) for _ in range(100)]
        scores = [rng(1000 * seed + n).normal(size=LENGTH) for n in range(100)]
        assert not find_motifs(codes, scores, generator=rng(), anchor=ANCHOR).motifs
        other = [rng(7000 * (seed + 1) + n).normal(size=LENGTH) for n in range(100)]
        assert not find_motifs(codes, scores, generator=rng(), anchor=ANCHOR, null=other).motifs


def test_a_null_of_other_sequences_serves_too():
    _, scores = planted(50)
    null = [rng(n).normal(0, 0.1, 60) for n in range(30)]
    assert len(find_seqlets(scores, generator=rng(), null=null).found) >= 100


def test_sequences_of_unequal_lengths_are_looked_through_to_their_ends():
    scores = [np.zeros(20), np.zeros(50), np.zeros(7)]
    for one, start in zip(scores, (14, 44, 1), strict=True):
        one[start : start + 6] = 1
    null = [rng(n).normal(0, 0.1, 40) for n in range(20)]
    found = find_seqlets(scores, generator=rng(), null=null, fdr=0.5)
    assert sorted((one.sequence, one.start, one.end) for one in found.found) == [(0, 14, 20), (1, 44, 50), (2, 1, 7)]


def test_planted_motifs_are_found_with_consensus_count_and_place():
    codes, scores = planted()
    found = find_motifs(codes, scores, generator=rng(), anchor=ANCHOR)
    words = {one.consensus: one for one in found.motifs}
    assert set(words) == {"TTGACA", "TATAAT"}
    for word, first in (("TTGACA", -35), ("TATAAT", -12)):
        motif = words[word]
        assert len(motif.sites) == 120
        assert set(motif.positions) == {first}
        assert motif.mean_contribution == pytest.approx(6, abs=0.1)
        assert motif.information == pytest.approx(np.full(6, 2 - 3 / (2 * np.log(2) * 120)))
        assert motif.contributions.sum(axis=1) == pytest.approx(np.ones(6), abs=0.1)
        assert motif.logo.sum(axis=1) == pytest.approx(motif.information)
    assert [one.name for one in found.motifs] == ["motif-1", "motif-2"]


def test_both_strands_are_one_motif_where_there_is_no_anchor():
    codes, scores = planted(turned=True)
    found = find_motifs(codes, scores, generator=rng())
    assert len(found.motifs) == 2
    for motif in found.motifs:
        assert len(motif.sites) == 120
        assert sorted({site.strand for site in motif.sites}) == ["+", "-"]
        for site in motif.sites:
            word = codes[site.sequence][site.start : site.start + 6]
            word = word if site.strand == "+" else reverse_complement(word)
            assert (word == encode(motif.most_common)).all()
    matches = match_motifs(found.motifs, generator=rng(), both_strands=True)
    assert {one.known for one in matches if one.q_value < 0.01} >= {"-35", "-10"}
    stranded = find_motifs(codes, scores, generator=rng(), both_strands=False)
    assert len(stranded.motifs) == 4


def test_the_same_seed_gives_the_same_motifs():
    codes, scores = planted(noise=0.5)
    one, two = (find_motifs(codes, scores, generator=rng(3), anchor=ANCHOR) for _ in range(2))
    assert one.seqlets == two.seqlets
    assert [motif.sites for motif in one.motifs] == [motif.sites for motif in two.motifs]
    first, second = (match_motifs(one.motifs, generator=rng(4)) for _ in range(2))
    assert first == second


def test_a_motif_over_the_sequences_end_counts_only_what_is_there():
    codes, scores = [], []
    for seed in range(40):
        bases = rng(seed).integers(0, 4, 30).astype(np.uint8)
        adds = rng(seed + 100).normal(0, 0.05, 30)
        bases[:6], adds[:6] = encode("TATAAT"), 1
        codes.append(bases)
        scores.append(adds)
    (motif,) = find_motifs(codes, scores, generator=rng(), anchor=10).motifs
    assert motif.consensus == "TATAAT"
    assert set(motif.positions) == {-10}


def test_few_seqlets_give_no_motif_and_no_error():
    codes, scores = planted(4)
    assert find_motifs(codes, scores, generator=rng(), anchor=ANCHOR).motifs == ()


def test_unknown_bases_are_in_no_motif():
    codes, scores = planted(60)
    for bases in codes:
        bases[BOX_10 + 2] = 4
    found = find_motifs(codes, scores, generator=rng(), anchor=ANCHOR)
    assert {one.consensus for one in found.motifs} == {"TTGACA", "TANAAT"}


@pytest.mark.parametrize("likeness", ["pearson", "euclidean"])
def test_planted_motifs_match_their_own_element_best(likeness):
    codes, scores = planted()
    found = find_motifs(codes, scores, generator=rng(), anchor=ANCHOR)
    matches = match_motifs(found.motifs, generator=rng(), likeness=likeness)
    assert len(matches) == 2 * len(KNOWN)
    for motif in found.motifs:
        best = next(one for one in matches if one.motif == motif.name)
        assert best.consensus == motif.consensus
        assert (best.offset, best.overlap, best.strand) == (0, 6, "+")
        assert best.q_value < 0.01
    others = [one for one in matches if one.known == "Shine-Dalgarno"]
    assert all(one.q_value > 0.05 for one in others)


def test_q_values_are_benjamini_and_hochbergs():
    codes, scores = planted()
    matches = match_motifs(find_motifs(codes, scores, generator=rng(), anchor=ANCHOR).motifs, generator=rng())
    p = np.sort([one.p_value for one in matches])
    expected = np.minimum.accumulate((p * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1]
    assert np.sort([one.q_value for one in matches]) == pytest.approx(expected)
    assert match_motifs([], generator=rng()) == []


def test_the_reverse_complement_is_found_on_the_other_strand():
    codes, scores = planted()
    motifs = find_motifs(codes, scores, generator=rng(), anchor=ANCHOR).motifs
    turned = [from_consensus("turned", "ATTATA", "by hand")]
    strands = {one.motif: one.strand for one in match_motifs(motifs, turned, generator=rng(), both_strands=True)}
    assert "-" in strands.values()


@pytest.mark.parametrize("spacer", [15, 17, 19])
def test_the_planted_distance_is_measured(spacer):
    codes, scores = planted(spacer=spacer)
    found = measure_spacing(codes, scores, generator=rng(), anchor=ANCHOR)
    assert found.commonest == spacer
    assert dict(zip(found.spacers, found.counts, strict=True))[spacer] == len(found.pairs) == 120
    assert (found.median.value, found.median.low, found.median.high) == (spacer, spacer, spacer)
    assert found.at_optimum.value == (spacer == 17)
    assert found.by_chance == pytest.approx(3 / 15)
    assert {(pair.upstream, pair.downstream) for pair in found.pairs} == {(BOX_10 - spacer - 6, BOX_10)}


def test_no_distance_stands_out_where_nothing_is_planted():
    codes = [rng(n).integers(0, 4, LENGTH).astype(np.uint8) for n in range(400)]
    scores = [rng(n + 1000).normal(size=LENGTH) for n in range(400)]
    found = measure_spacing(codes, scores, generator=rng(), anchor=ANCHOR)
    assert found.at_optimum.low < found.by_chance < found.at_optimum.high
    nothing = measure_spacing(codes, [np.zeros(LENGTH)] * 400, generator=rng(), anchor=ANCHOR)
    assert nothing.pairs == ()
    assert nothing.commonest is None
    assert nothing.median.as_dict()["value"] is None


def test_the_strongest_stretch_by_hand():
    scores = np.zeros(30)
    scores[10:16] = 1.0
    scores[20:26] = -2.0
    assert strongest_stretch(scores) == 10
    assert strongest_stretch(scores, weigh="absolute") == 20
    assert strongest_stretch(scores, width=3) == 10
    with pytest.raises(InputError, match="6 bases is looked for in 5"):
        strongest_stretch(scores[:5])


@pytest.mark.parametrize(("start", "hit"), [(40, False), (41, True), (46, True), (55, True), (56, False)])
def test_a_stretch_counts_from_one_base_of_overlap(start, hit):
    # -14 is base 46 and -5 is base 55 where +1 is base 60.
    scores = np.zeros(LENGTH)
    scores[start : start + 6] = 1
    share = share_at_place([scores] * 3, ANCHOR, generator=rng())
    assert (share.value, share.n) == (float(hit), 3)


def test_share_at_the_place_and_by_chance():
    scores = [np.zeros(LENGTH) for _ in range(4)]
    for one, start in zip(scores, (48, 48, 48, 10), strict=True):
        one[start : start + 6] = 1
    share = share_at_place(scores, ANCHOR, generator=rng())
    assert share.value == 0.75
    assert share.low < 0.75 < share.high
    assert share_by_chance(LENGTH, ANCHOR) == pytest.approx(15 / 76)
    with pytest.raises(InputError, match="no base 0"):
        share_at_place(scores, ANCHOR, generator=rng(), place=(0, 4))


def test_positions_have_no_zero():
    assert from_anchor(np.array([59, 60, 61]), 60).tolist() == [-1, 1, 2]


def test_a_consensus_in_iupac_letters():
    assert letters_of(np.array([[0.6, 0.2, 0.1, 0.1], [0.4, 0.0, 0.2, 0.4], [0.25] * 4])) == "AWN"
    assert letters_of(MINUS_10.frequencies) == "TATAAT"
    assert MINUS_35.frequencies.sum(axis=1) == pytest.approx(np.ones(6))
    with pytest.raises(InputError, match="no IUPAC letter"):
        from_consensus("odd", "TAXA", "nobody")


@pytest.mark.parametrize(
    ("scores", "sentence"),
    [([], "at least one sequence"), ([np.zeros(3)], "at most 3 bases"), ([np.full(9, np.nan)], "not a number")],
)
def test_what_holds_no_seqlets_is_refused(scores, sentence):
    with pytest.raises(InputError, match=sentence):
        find_seqlets(scores, generator=rng())


def test_codes_and_scores_must_belong_together():
    with pytest.raises(InputError, match="one score for each base"):
        find_motifs([np.zeros(9, np.uint8)], [np.zeros(8)], generator=rng())
