"""Faithfulness of a model that is linear in the bases, whose curves can be worked out by hand; how figures are kept."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil

import numpy as np
import pytest
import torch
import toy_house
from hypothesis import given
from hypothesis import strategies as st
from test_attribution import LENGTH, PLACE, motif_model, with_motif
from toy_models import aligned, classifier, classifier_bundle, random_codes, toy_dataset
from typer.testing import CliRunner

import dnalm
from dnalm.alphabet import UNKNOWN, encode
from dnalm.cli import app
from dnalm.errors import InputError
from dnalm.interpret import faithfulness_files
from dnalm.interpret.faithfulness import WAYS, measure, rank_correlation
from dnalm.interpret.faithfulness_files import faithfulness_of, keep
from dnalm.interpret.faithfulness_result import Faithfulness, in_one_line
from dnalm.interpret.redrawn import redrawn
from dnalm.interpret.replacement import SHARES, STEPS, drawn_bases, ranked, replacement_curves
from dnalm.metrics import Figure
from dnalm.model.bundle import read_bundle
from dnalm.model.config import PoolHeadConfig, WideHeadConfig
from dnalm.settings import settings

QUICK = (("input-x-gradient", ""), ("integrated-gradients", "shuffled"), ("mutation", ""))


def rng(seed=0):
    return np.random.default_rng(seed)


def nothing_of(codes):
    """One draw in which no base stays what it was."""
    return ((codes[None] + 1) % 4).astype(np.uint8)


def orders(*each):
    return np.array(each)[:, None]


@pytest.fixture
def linear(tmp_path):
    """Six of 30 bases carry 2 each, wherever the others are."""
    return motif_model(tmp_path)


def quickly(model, sequences, **told):
    return measure(model, sequences, generator=rng(), **{"ways": QUICK, "draws": 1, "resamples": 50, **told})


class TestCurves:
    def test_the_motif_first_and_the_motif_last(self, linear):
        codes = with_motif()
        motif = np.arange(PLACE, PLACE + 6)
        others = np.setdiff1d(np.arange(LENGTH), motif)
        best, worst = np.concatenate([motif, others]), np.concatenate([others, motif])
        curves = replacement_curves(linear, codes, orders(best, worst), nothing_of(codes), 1)
        replaced = np.rint(np.array(SHARES) * LENGTH)
        np.testing.assert_allclose(curves.deletion[0, 0], 12 - 2 * np.minimum(replaced, 6), atol=1e-4)
        np.testing.assert_allclose(curves.deletion[1, 0], 12 - 2 * np.maximum(replaced - 24, 0), atol=1e-4)
        np.testing.assert_allclose(curves.insertion[0, 0], 2 * np.minimum(replaced, 6), atol=1e-4)
        # A linear model gives back by insertion what deletion takes.
        np.testing.assert_allclose(curves.fall(), curves.rise(), atol=1e-4)
        taken = 2 * np.minimum(replaced, 6)
        assert curves.fall()[0] == pytest.approx((taken[:-1] + taken[1:]).sum() / 2 / STEPS, abs=1e-4)
        assert curves.fall()[0] + curves.fall()[1] == pytest.approx(12, abs=0.2)  # mirror images, but for rounding
        early = taken[: STEPS // 5 + 1]
        assert curves.fall(0.2)[0] == pytest.approx((early[:-1] + early[1:]).sum() / 2 / (STEPS // 5), abs=1e-4)

    def test_each_value_is_what_predicting_that_sequence_gives(self, tmp_path):
        model = dnalm.load(classifier_bundle(tmp_path / "toy", classifier(aligned(LENGTH), PoolHeadConfig())).folder)
        codes = random_codes(LENGTH)
        order = rng().permutation(LENGTH)
        draws = drawn_bases(codes, "shuffled", 2, rng(1))
        curves = replacement_curves(model, codes, np.tile(order, (1, 2, 1)), draws, 1)
        at = 7
        gone = order[: round(SHARES[at] * LENGTH)]
        for draw in (0, 1):
            changed, back = codes.copy(), draws[draw].copy()
            changed[gone], back[gone] = draws[draw][gone], codes[gone]
            for found, wanted in ((curves.deletion, changed), (curves.insertion, back)):
                logits = model.logits([wanted])[0]
                assert found[0, draw, at] == pytest.approx(float(logits[1] - logits[0]), abs=1e-5)

    def test_unknown_bases_are_never_replaced(self, linear):
        codes = with_motif()
        codes[20:] = UNKNOWN
        order = ranked(codes, np.arange(LENGTH, dtype=float))
        np.testing.assert_array_equal(order, np.arange(19, -1, -1))
        for how in ("even", "shuffled"):
            draws = drawn_bases(codes, how, 3, rng())
            assert (draws[:, 20:] == UNKNOWN).all()
            assert (draws[:, :20] < UNKNOWN).all()
        curves = replacement_curves(linear, codes, orders(order), drawn_bases(codes, "even", 1, rng()), 1)
        assert np.isfinite(curves.deletion).all()

    def test_bases_are_drawn_evenly(self):
        drawn = drawn_bases(np.zeros(1000, np.uint8), "even", 40, rng())
        np.testing.assert_allclose(np.bincount(drawn.ravel(), minlength=4) / drawn.size, 0.25, atol=0.01)

    @given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(0, 2**31))
    def test_a_ranking_names_each_known_base_once(self, bases, seed):
        codes = np.array(bases, dtype=np.uint8)
        scores = np.random.default_rng(seed).normal(size=len(codes))
        order = ranked(codes, scores)
        assert sorted(order) == np.flatnonzero(codes < UNKNOWN).tolist()
        assert (np.diff(scores[order]) <= 0).all()


class TestMeasure:
    def test_what_finds_the_motif_takes_a_known_multiple_of_random_order(self, linear):
        found = quickly(linear, [with_motif(seed) for seed in range(40)], checked=0, draws=2)
        for way in found.ways:
            # Drawn bases keep a quarter of the motif: 9 of 12 is lost, after a fifth of the bases; half on the way.
            assert way.fall.value == pytest.approx(9 * 0.9, rel=0.1), way.name
            assert way.deletion.value == pytest.approx(1.8, abs=0.15), way.name
            assert way.insertion.value == pytest.approx(1.8, abs=0.15), way.name
            assert way.early.value > 4, way.name
            assert way.deletion.low < way.deletion.value < way.deletion.high
        assert found.random_fall.value == pytest.approx(4.5, rel=0.15)
        assert found.random.deletion[0] == pytest.approx(12, abs=1e-3)
        assert found.random.deletion[-1] == found.ways[0].curves.deletion[-1]
        assert found.n == 40
        assert all(way.stability is None and way.head_redrawn is None for way in found.ways)

    def test_a_model_that_reads_nothing_has_no_multiple(self, tmp_path):
        module = classifier(WideHeadConfig(length=LENGTH, components=2, kmer=0, window_kmers=()))
        with torch.no_grad():
            module.members[0].head.linear.weight.zero_()
        model = dnalm.load(classifier_bundle(tmp_path / "flat", module).folder)
        found = quickly(model, [random_codes(LENGTH, seed) for seed in range(3)], checked=1)
        for way in found.ways:
            assert math.isnan(way.deletion.value)
            assert way.fall.value == pytest.approx(0, abs=1e-6)
        said = in_one_line(found, "input-x-gradient")
        assert "takes 0.0 [0.0, 0.0] from the log-odds on the way, replacing random ones nothing for sure" in said
        assert Faithfulness.from_dict(json.loads(json.dumps(found.as_dict()))).random_fall == found.random_fall

    def test_weights_drawn_anew_and_other_draws(self, tmp_path):
        model = dnalm.load(classifier_bundle(tmp_path / "toy", classifier(aligned(LENGTH))).folder)
        before = {name: tensor.clone() for name, tensor in model.module.state_dict().items()}
        codes = [random_codes(LENGTH, seed) for seed in range(6)]
        found = quickly(model, codes, checked=4)
        assert found.checked == 4
        assert [way.stability is not None for way in found.ways] == [False, True, False]
        for way in found.ways:
            assert way.head_redrawn.n == way.all_redrawn.n == 4
            assert way.all_redrawn.value < 0.9
        for name, tensor in model.module.state_dict().items():
            assert torch.equal(tensor, before[name]), name

    def test_agreement_is_spearman_s_and_each_pair_stands_there(self, linear):
        found = quickly(linear, [with_motif(seed) for seed in range(3)], checked=0)
        assert len(found.agreement) == 3
        one, _, mutation = found.ways
        assert -1 <= found.between(one, mutation).value <= 1
        assert found.between(one, mutation) == found.between(mutation, one)
        assert found.between(one, one) is None

    def test_the_same_seed_gives_the_same_figures(self, linear):
        one, two = (quickly(linear, [with_motif(1), with_motif(2)], checked=1) for _ in range(2))
        assert json.dumps(one.as_dict()) == json.dumps(two.as_dict())

    def test_of_several_classes_each_sequence_is_explained_for_the_one_called(self, tmp_path):
        module = classifier(PoolHeadConfig(), classes=3)
        bundle = classifier_bundle(tmp_path / "three", module, labels=["a", "b", "c"], positive=None, threshold=None)
        found = quickly(dnalm.load(bundle.folder), [random_codes(LENGTH, seed) for seed in range(3)], checked=1)
        assert found.label is None
        assert all(math.isfinite(way.fall.value) for way in found.ways)

    def test_nothing_to_measure_is_said(self, linear):
        with pytest.raises(InputError, match="no sequence"):
            quickly(linear, [])

    def test_every_method_is_a_way(self, linear):
        found = measure(linear, [with_motif()], generator=rng(), checked=0, draws=1, resamples=0)
        assert [(way.method, way.baseline) for way in found.ways] == list(WAYS)
        assert all(math.isnan(way.fall.low) for way in found.ways)
        assert found.best.method != "saliency"


def test_rank_correlation_by_hand():
    codes = encode("ACGTN")
    four = np.array([1.0, 2.0, 3.0, 4.0, 0.0])
    assert rank_correlation(codes, four, 10 * four**3) == pytest.approx(1)
    assert rank_correlation(codes, four, -four) == pytest.approx(-1)
    # Ranks 1 2 3 4 beside 2 1 4 3: 1 - 6 x 4 / (4 x 15).
    assert rank_correlation(codes, four, np.array([2.0, 1.0, 4.0, 3.0, 9.0])) == pytest.approx(0.6)
    assert math.isnan(rank_correlation(codes, four, np.ones(5)))
    assert math.isnan(rank_correlation(encode("ACNNN"), four, four))


def test_redrawn_weights_keep_their_size_and_the_rest_stays(tmp_path):
    heads = [aligned(LENGTH), WideHeadConfig(length=LENGTH)]
    model = dnalm.load(classifier_bundle(tmp_path / "toy", classifier(*heads)).folder)
    head, everything = (redrawn(model, rng(), parts) for parts in ("head", "all"))
    for name, tensor in model.module.state_dict().items():
        in_head = ".head." in name
        statistic = "running" in name or "num_batches" in name
        constant = tensor.numel() < 2 or float(tensor.float().std()) == 0
        if statistic or constant:
            continue
        assert torch.equal(head.module.state_dict()[name], tensor) is not in_head, name
        other = everything.module.state_dict()[name]
        assert not torch.equal(other, tensor), name
        if tensor.numel() > 300:
            assert float(other.std()) == pytest.approx(float(tensor.std()), rel=0.3), name
    assert not everything.module.training
    assert all(not parameter.requires_grad for parameter in everything.module.parameters())
    codes = random_codes(LENGTH)
    assert not np.allclose(everything.logits([codes]), model.logits([codes]))


class TestKept:
    @pytest.fixture
    def found(self, linear):
        return quickly(linear, [with_motif(seed) for seed in range(4)], checked=2, told={"split": "test", "seed": 3})

    def test_to_json_and_back(self, found):
        assert Faithfulness.from_dict(json.loads(json.dumps(found.as_dict()))) == found
        for broken in ({}, {"schema": 99}, {**found.as_dict(), "ways": [1]}, {**found.as_dict(), "surplus": 1}):
            with pytest.raises(InputError):
                Faithfulness.from_dict(broken)

    def test_with_a_lab_s_own_model_and_nothing_else_changes(self, linear, found, home):
        bundle = linear.bundle
        assert faithfulness_of(bundle) is None
        linked = bundle.folder.with_name("linked.json")
        linked.hardlink_to(bundle.folder / "metrics.json")
        assert keep(bundle, found) == bundle.folder / "metrics.json"
        again = read_bundle(bundle.folder)
        assert faithfulness_of(again) == found
        assert {**again.metrics, "explanations": None} == {**bundle.metrics, "explanations": None}
        assert json.loads(linked.read_text()) == bundle.metrics  # a run's own copy, by a hard link
        keep(again, dataclasses.replace(found, seed=4))
        assert faithfulness_of(read_bundle(bundle.folder)).seed == 4

    def test_of_other_weights_they_say_nothing(self, linear, found):
        with pytest.raises(InputError, match="other weights"):
            keep(linear.bundle, dataclasses.replace(found, weights="0"))
        keep(linear.bundle, found)
        path = linear.bundle.folder / "metrics.json"
        path.write_text(path.read_text().replace(found.weights, "0"))
        assert faithfulness_of(read_bundle(linear.bundle.folder)) is None

    def test_shipped_models_have_theirs_together(self, linear, found, home, tmp_path, monkeypatch):
        monkeypatch.setenv("DNALM_SHIPPED", str(tmp_path / "ships"))
        settings.cache_clear()
        shipped = tmp_path / "ships" / "models" / "motif"
        shutil.copytree(linear.bundle.folder, shipped)
        (tmp_path / "ships" / "data" / "results").mkdir(parents=True)
        bundle = read_bundle(shipped)
        assert faithfulness_of(bundle) is None
        path = keep(bundle, found)
        assert path == faithfulness_files.shipped_file()
        assert list(json.loads(path.read_text())) == ["motif"]
        assert faithfulness_of(bundle) == found
        assert faithfulness_of(linear.bundle) == found  # the same weights elsewhere
        assert read_bundle(shipped).metrics == bundle.metrics

    def test_what_ships_can_be_read_and_is_of_the_weights_that_ship(self):
        entries = json.loads(faithfulness_files.shipped_file().read_text())
        assert "ecoli-sigma70-81" in entries
        for name, entry in entries.items():
            bundle = read_bundle(settings().shipped_models / name)
            found = faithfulness_of(bundle)
            assert found is not None, name
            assert found == Faithfulness.from_dict(entry)
            assert found.model == name
            assert found.split == "test"
            assert in_one_line(found, "integrated-gradients", "shuffled").endswith("held-out sequences).")


class TestOneLine:
    def test_it_says_what_was_found(self, linear):
        found = quickly(linear, [with_motif(seed) for seed in range(4)], checked=2, told={"split": "test"})
        way = dataclasses.replace(
            found.way("integrated-gradients"),
            deletion=Figure(2.41, 2.2, 2.61, 4),
            stability=Figure(0.974, 0.9, 1.0, 2),
            all_redrawn=Figure(-0.04, -0.1, 0.1, 2),
        )
        alike = [
            dataclasses.replace(pair, correlation=Figure(0.81, 0.7, 0.9, 4))
            if {pair.one, pair.other} == {way.name, "mutation"}
            else pair
            for pair in found.agreement
        ]
        told = dataclasses.replace(found, ways=(way, found.way("mutation")), agreement=tuple(alike))
        assert in_one_line(told, "integrated-gradients", "shuffled") == (
            "Integrated gradients from shuffles on this model: replacing the bases it ranks highest takes 2.4 "
            "[2.2, 2.6] times as much from the log-odds as replacing random ones; rank agreement with mutation .81; "
            "with other draws .97; with weights drawn anew -.04 (4 held-out sequences)."
        )
        assert in_one_line(told, "integrated-gradients", "uniform").startswith("Integrated gradients from shuffles")
        assert in_one_line(told, "mutation").startswith("Mutation on this model")
        assert in_one_line(told, "occlusion") == ""


class TestCommand:
    @pytest.fixture
    def given(self, home):
        """A model that calls the consensus, and a set with promoters that it calls right and some that it does not."""
        settings().models.mkdir(parents=True, exist_ok=True)
        toy_house.toy_bundle(settings().models)
        windows = [toy_house.promoter_window(rng(seed)) for seed in range(5)] + [random_codes(toy_house.WINDOW, 9)]
        path = home / "promoters.tsv"
        letters = ["".join("ACGT"[base] for base in window) for window in windows]
        rows = [f"p{number}\t{text}\tpromoter" for number, text in enumerate(letters)]
        path.write_text("\n".join(["id\tsequence\tlabel", *rows]) + "\n")
        return path

    def run(self, *words):
        return CliRunner().invoke(app, ["explain", "faithfulness", *map(str, words)])

    def test_figures_as_json_and_kept(self, given):
        result = self.run(toy_house.MODEL, given, "--checked", 1, "--json", "--keep")
        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)
        assert found["n"] == 5  # the sixth is not called a promoter
        assert found["dataset"] == "promoters.tsv"
        assert found["command"].startswith(f"dnalm explain faithfulness {toy_house.MODEL} ")
        bundle = read_bundle(settings().models / toy_house.MODEL)
        assert faithfulness_of(bundle).n == 5

    def test_a_labelled_set_by_its_name(self, given):
        windows = [toy_house.promoter_window(rng(seed)) for seed in range(4)]
        dataset = toy_dataset(settings().datasets / "mine", n=48, length=toy_house.WINDOW)
        of_test = dataset.table.index[(dataset.table["split"] == "test") & (dataset.table["label"] == "promoter")]
        for row, window in zip(of_test, windows, strict=False):
            dataset.table.loc[row, "sequence"] = "".join("ACGT"[base] for base in window)
        dataset.save(settings().datasets / "mine")
        result = self.run(toy_house.MODEL, "mine", "--n", 2, "--checked", 0)
        assert result.exit_code == 0, result.output
        assert "replacing the bases it ranks highest" in result.stderr
        header, *rows = result.stdout.splitlines()
        assert header.split("\t")[:4] == ["method", "baseline", "fall", "deletion"]
        assert len(rows) == len(WAYS)

    def test_what_cannot_be_measured_is_said(self, given, home):
        others = home / "others.fa"
        others.write_text(">a\n" + "C" * toy_house.WINDOW + "\n")
        result = self.run(toy_house.MODEL, others)
        assert result.exit_code == 2
        assert "labelled 'promoter' and called so" in result.stderr
        assert self.run("ecoli-lm", given).exit_code == 2
