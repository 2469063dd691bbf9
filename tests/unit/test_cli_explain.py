"""`dnalm explain saliency`, `mutate` and `scramble`, of a model that adds 2 for each base of TATAAT at its place."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pytest
import torch
from toy_models import classifier, classifier_bundle
from typer.testing import CliRunner

from dnalm.alphabet import decode, encode, reverse_complement
from dnalm.cli import app
from dnalm.model.config import PoolHeadConfig, WideHeadConfig

LENGTH, PLACE, SITE = 30, 12, 20
MOTIF = "TATAAT"
PROMOTER = "GCGCGCGCGCGC" + MOTIF + "GCGCGCGCGCGC"
SURE = 1 / (1 + np.exp(-12))


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    module = classifier(WideHeadConfig(length=LENGTH, components=2, kmer=0, window_kmers=()))
    linear = module.members[0].head.linear
    with torch.no_grad():
        linear.weight.zero_()
        linear.bias.zero_()
        weights = torch.zeros(LENGTH, 4)
        weights[torch.arange(PLACE, PLACE + 6), torch.from_numpy(encode(MOTIF).astype(np.int64))] = 2.0
        linear.weight[1, -4 * LENGTH :] = weights.flatten()
    folder = tmp_path_factory.mktemp("models") / "motif"
    return str(classifier_bundle(folder, module, window=LENGTH, anchor=SITE).folder)


@pytest.fixture
def one(tmp_path) -> str:
    path = tmp_path / "one.fa"
    path.write_text(f">p1 a promoter\n{PROMOTER}\n")
    return str(path)


@pytest.fixture
def three(tmp_path) -> str:
    path = tmp_path / "three.tsv"
    other = "G" * LENGTH
    path.write_text(f"id\tsequence\np1\t{PROMOTER}\na/b c\t{other}\np3\t{PROMOTER}\n")
    return str(path)


@pytest.fixture
def genome(tmp_path) -> str:
    """A circle of 100 bases with the promoter over its origin, on the reverse strand: its +1 is base 96."""
    backwards = decode(reverse_complement(encode(PROMOTER)))
    path = tmp_path / "genome.fa"
    path.write_text(f">chr\n{backwards[-15:]}{'A' * 70}{backwards[:15]}\n")
    return str(path)


REGION = ["--region", "chr:86-115(-)", "--circular"]


def ran(*words: str) -> str:
    result = CliRunner().invoke(app, ["explain", *words])
    assert result.exit_code == 0, result.stderr
    return result.stdout


def refused(*words: str, code: int = 2) -> str:
    result = CliRunner().invoke(app, ["explain", *words])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.stderr


def table(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), sep="\t", keep_default_na=False, na_values=[""])


def test_saliency_puts_the_weight_on_the_motif(model, one):
    found = table(ran("saliency", model, one, "--baseline", "uniform"))
    assert found.columns.tolist() == ["id", "position", "base", "score", "from_site"]
    assert found.position.tolist() == list(range(1, LENGTH + 1))
    assert "".join(found.base) == PROMOTER
    assert found.from_site.tolist()[:2] == [-20, -19] and found.from_site.tolist()[18:22] == [-2, -1, 1, 2]
    wanted = np.zeros(LENGTH)
    wanted[PLACE : PLACE + 6] = 1.5
    np.testing.assert_allclose(found.score, wanted, atol=1e-4)


def test_a_genomes_composition_can_be_the_background(model, one):
    found = table(ran("saliency", model, one, "--baseline", "background", "--composition", "0.5,0.1,0.1,0.3"))
    weight = found["score"].sum()
    assert weight == pytest.approx(sum(2 * (1 - {"A": 0.5, "T": 0.3}[base]) for base in "TATAAT"), abs=1e-3)
    assert "four shares" in refused("saliency", model, one, "--composition", "1,2")


@pytest.mark.parametrize(
    "method", ["saliency", "input-x-gradient", "gradient-shap", "occlusion", "embedding-gradients"]
)
def test_every_method_has_its_word(model, one, method):
    result = json.loads(ran("saliency", model, one, "--method", method, "--json"))
    assert result["options"]["method"] == method
    said = result["sequences"][0]
    assert (said["id"], said["label"], len(result["rows"])) == ("p1", "promoter", LENGTH)
    assert said["probability"] == pytest.approx(SURE, abs=1e-6)
    assert (said["delta"] is None) == (method in ("saliency", "input-x-gradient", "occlusion"))


def test_what_the_sum_misses_is_said(tmp_path, monkeypatch, three):
    monkeypatch.setattr("dnalm.interpret.attribution.SMALL_DELTA", 1e-6)  # a toy's curve is nearly straight
    bundle = classifier_bundle(tmp_path / "curved", classifier(PoolHeadConfig(width=7)))
    words = ["saliency", str(bundle.folder), three, "--baseline", "uniform", "--steps", "1", "--json"]
    result = CliRunner().invoke(app, ["explain", *words])
    said = json.loads(result.stdout)["sequences"]
    worst = max(said, key=lambda one: abs(one["delta"]))
    assert abs(worst["delta"]) > 1e-6
    assert f"3 of 3 sequences, most {worst['id']}: {worst['warning']}" in result.stderr
    assert "More steps" in worst["warning"]


def test_saturation_lists_three_changes_a_base(model, one):
    found = table(ran("mutate", model, one))
    wanted = ["id", "position", "ref", "alt", "probability", "delta", "log_odds_delta", "from_site"]
    assert found.columns.tolist() == wanted
    assert len(found) == 3 * LENGTH
    inside = found.position.between(PLACE + 1, PLACE + 6)
    np.testing.assert_allclose(found.log_odds_delta[inside], -2, atol=1e-4)
    np.testing.assert_allclose(found.log_odds_delta[~inside], 0, atol=1e-4)
    np.testing.assert_allclose(found.probability[inside], 1 / (1 + np.exp(-10)), atol=1e-5)
    np.testing.assert_allclose(found.delta, found.probability - SURE, atol=1e-5)
    exact = table(ran("mutate", model, one, "--tolerance", "0"))
    np.testing.assert_allclose(exact.log_odds_delta, found.log_odds_delta, atol=1e-4)


def test_typed_changes_are_tried_alone_and_together(model, one):
    found = table(ran("mutate", model, one, "--edits", "-8T>G;14A>C,+3G>A"))
    assert found.edit.tolist() == ["-8T>G", "-7A>C", "+3G>A", "-8T>G,-7A>C,+3G>A"]
    np.testing.assert_allclose(found.log_odds_delta, [-2, -2, 0, -4], atol=1e-4)
    assert found.position.tolist() == [13, 14, 23, 13]
    assert found.ref.tolist()[3] == PROMOTER[12:23]
    assert found.alt.tolist()[3] == "GC" + PROMOTER[14:22] + "A"
    alike = table(ran("mutate", model, one, "--edits", "-8T>G,-8T>C"))
    assert alike.edit.tolist() == ["-8T>G", "-8T>C"]
    # A base put in before the site moves the bases before it: the motif leaves its place.
    moved = table(ran("mutate", model, one, "--edits", "-1->G"))
    assert moved.log_odds_delta[0] == pytest.approx(-10, abs=1e-4)  # of ATAATG one base fits TATAAT
    assert moved.ref[0] == "-"


def test_another_base_than_the_one_there_is_refused(model, one, genome, tmp_path):
    assert "p1: -8A>G does not fit, the sequence has T there" in refused("mutate", model, one, "--edits", "-8A>G")
    vcf = tmp_path / "wrong.vcf"
    vcf.write_text("#CHROM\tPOS\tID\tREF\tALT\np1\t13\t.\tA\tG\n")
    assert "p1, position 13: REF is A, but the sequence has T there" in refused("mutate", model, one, "--vcf", str(vcf))
    vcf.write_text("chr\t3\t.\tG\tC\n")
    said = refused("mutate", model, genome, *REGION, "--vcf", str(vcf))
    assert "chr, position 3: REF is G" in said and "has A there" in said


def test_changes_of_a_file_go_to_their_records(model, three, tmp_path):
    vcf = tmp_path / "some.vcf"
    vcf.write_text("##x\np3\t13\trs1\tT\tG,TG\np1\t1\t.\tG\tA\nother\t5\t.\tA\tC\n")
    result = CliRunner().invoke(app, ["explain", "mutate", model, three, "--vcf", str(vcf)])
    found = table(result.stdout)
    assert found[["id", "position", "ref", "alt", "variant"]].values.tolist() == [
        ["p1", 1, "G", "A", "."],
        ["p3", 13, "T", "G", "rs1"],
        ["p3", 13, "T", "TG", "rs1"],
    ]
    assert found.log_odds_delta[0] == pytest.approx(0, abs=1e-4)
    assert found.log_odds_delta[1] == pytest.approx(-2, abs=1e-4)
    assert "1 of 4 changes lie elsewhere" in result.stderr
    vcf.write_text("other\t5\t.\tA\tC\n")
    assert "has no change of p1" in refused("mutate", model, three, "--vcf", str(vcf))


def test_a_region_of_a_circle_is_read_backwards_and_told_in_the_genomes_positions(model, genome, tmp_path):
    found = table(ran("saliency", model, genome, *REGION, "--baseline", "uniform"))
    assert "".join(found.base) == PROMOTER
    assert found.id[0] == "chr:86-115(-)"
    assert found.genome.tolist() == [*range(15, 0, -1), *range(100, 85, -1)]
    out = tmp_path / "out.bedgraph"
    ran("saliency", model, genome, *REGION, "--baseline", "uniform", "-o", str(out))
    header, *lines = out.read_text().splitlines()
    assert header.startswith("track type=bedGraph")
    values = {int(line.split("\t")[1]): float(line.split("\t")[3]) for line in lines}
    assert sorted(values) == [*range(15), *range(85, 100)]
    assert {start for start, value in values.items() if abs(value - 1.5) < 1e-3} == {2, 1, 0, 99, 98, 97}
    vcf = tmp_path / "some.vcf"
    vcf.write_text("chr\t3\ta\tA\tC\nchr\t98\tb\tA\tAG\nchr\t50\tfar\tA\tC\n")
    changes = table(ran("mutate", model, genome, *REGION, "--vcf", str(vcf)))
    assert changes[["position", "ref", "alt", "variant", "from_site", "genome"]].values.tolist() == [
        [13, "T", "G", "a", -8, 3],
        [18, "T", "CT", "b", -3, 98],
    ]
    assert changes.log_odds_delta[0] == pytest.approx(-2, abs=1e-4)
    sensitivity = ran("mutate", model, genome, *REGION, "--format", "bedgraph")
    assert "chr\t2\t3\t2\n" in sensitivity


def test_pairs_of_a_linear_model_do_not_interact(model, one, tmp_path):
    found = table(ran("mutate", model, one, "--pairs=-8:-6"))
    assert len(found) == 3 * 9
    assert found.columns.tolist()[:7] == ["id", "position", "ref", "alt", "position_2", "ref_2", "alt_2"]
    np.testing.assert_allclose(found.interaction, 0, atol=1e-4)
    np.testing.assert_allclose(found.log_odds_delta, -4, atol=1e-4)
    out = tmp_path / "pairs.npz"
    ran("mutate", model, one, "--pairs", "13-15", "-o", str(out))
    with np.load(out, allow_pickle=False) as file:
        assert file["pairs"].shape == (1, 3, 4, 3, 4)
        assert file["start"].tolist() == [12]


def test_indels_are_tried_everywhere(model, one):
    found = table(ran("mutate", model, one, "--indels", "1"))
    out, put_in = found[found.alt == "-"], found[found.ref == "-"]
    assert len(out) == LENGTH and len(put_in) == 4 * LENGTH
    # Behind the site what comes out or in leaves the motif where it is.
    np.testing.assert_allclose(out.log_odds_delta[out.position > SITE + 1], 0, atol=1e-4)
    np.testing.assert_allclose(put_in.log_odds_delta[put_in.position > SITE + 1], 0, atol=1e-4)
    assert (out.log_odds_delta[out.position.between(PLACE + 6, SITE)] < -3).all()
    two = table(ran("mutate", model, one, "--indels", "2", "--seed", "3"))
    assert two.alt[two.ref == "-"].nunique() <= 4 and set(two.alt.str.len()) == {1, 2}


def test_the_scramble_falls_at_the_motif_and_a_given_k_mer_raises_another(model, one, three, tmp_path):
    found = table(ran("scramble", model, one, "--k", "1,6", "--draws", "4"))
    columns = ["id", "k", "position", "mean", "spread", "low", "high", "inserted", "from_site"]
    assert found.columns.tolist() == columns
    assert found.groupby("k").size().to_dict() == {1: LENGTH, 6: LENGTH - 5}
    far = (found.position + found.k <= PLACE + 1) | (found.position > PLACE + 6)
    np.testing.assert_allclose(found["mean"][far], SURE, atol=1e-5)
    np.testing.assert_allclose(found.spread[far], 0, atol=1e-6)
    six = found[found.k == 6].set_index("position")
    assert six["mean"].idxmin() in range(PLACE - 1, PLACE + 5)
    assert (found.low <= found["mean"] + 1e-6).all() and (found["mean"] <= found.high + 1e-6).all()
    given = table(ran("scramble", model, three, "--insert", "tataat"))
    other = given[given.id == "a/b c"].set_index("position")
    assert other["mean"][PLACE + 1] == pytest.approx(SURE, abs=1e-5)
    assert other.inserted.unique().tolist() == ["TATAAT"] and other.spread.isna().all()
    fixed = table(ran("scramble", model, one, "--k", "3", "--fixed", "--draws", "2"))
    assert len(fixed.inserted.unique()) == 1 and len(fixed.inserted[0].split(",")) == 2
    out = tmp_path / "out.npz"
    ran("scramble", model, three, "--k", "3", "--draws", "2", "--insert", "TATAAT", "-o", str(out))
    with np.load(out, allow_pickle=False) as file:
        assert file["changed_log_odds_0"].shape == (3, 2, LENGTH)
        assert file["k"].tolist() == [3, 6] and file["inserted"][0].tolist() == ["", "TATAAT"]
        assert np.isnan(file["changed_log_odds_1"][:, :, LENGTH - 5 :]).all()


def test_arrays_are_read_back_without_pickle(model, three, tmp_path):
    out = tmp_path / "out.npz"
    ran("saliency", model, three, "--baseline", "uniform", "-o", str(out))
    with np.load(out, allow_pickle=False) as file:
        assert file["id"].tolist() == ["p1", "a/b c", "p3"]
        assert file["scores"].shape == (3, LENGTH, 4)
        np.testing.assert_allclose(file["scores"][0].sum(), 9, atol=1e-4)
        assert file["site"].tolist() == [SITE] * 3
        assert file["sequence"][0] == PROMOTER
        np.testing.assert_allclose(file["delta"], 0, atol=1e-3)
    ran("mutate", model, three, "-o", str(out))
    with np.load(out, allow_pickle=False) as file:
        assert file["changed_log_odds"].shape == (3, LENGTH, 4)
        assert file["log_odds"][0] == pytest.approx(12, abs=1e-4)
    ran("mutate", model, three, "--indels", "1", "-o", str(out))
    with np.load(out, allow_pickle=False) as file:
        assert np.bincount(file["row"]).tolist() == [5 * LENGTH] * 3


def test_sequences_of_different_lengths_are_padded(tmp_path):
    bundle = classifier_bundle(tmp_path / "any", classifier(PoolHeadConfig(width=7)), window=20, anchor=10)
    path, out = tmp_path / "two.fa", tmp_path / "out.npz"
    path.write_text(f">a\n{'ACGTA' * 4}\n>b\n{'ACGTA' * 5}\n")
    ran("saliency", str(bundle.folder), str(path), "--method", "saliency", "-o", str(out))
    with np.load(out, allow_pickle=False) as file:
        assert file["scores"].shape == (2, 25, 4) and np.isnan(file["scores"][0, 20:]).all()
        assert file["length"].tolist() == [20, 25] and file["site"].tolist() == [10, -1]
    found = table(ran("saliency", str(bundle.folder), str(path), "--method", "saliency"))
    assert found.from_site[found.id == "b"].isna().all()
    found = table(ran("saliency", str(bundle.folder), str(path), "--method", "saliency", "--site", "3"))
    assert found.from_site.tolist()[:3] == [-2, -1, 1]


@pytest.mark.parametrize(
    "words",
    [
        ["saliency", "--method", "input-x-gradient"],
        ["mutate"],
        ["mutate", "--edits", "-8T>G"],
        ["mutate", "--pairs", "10-14"],
        ["mutate", "--indels", "2"],
        ["scramble", "--draws", "2"],
        ["scramble", "--insert", "TATAAT"],
    ],
)
def test_each_has_its_picture_and_equal_ones_are_equal_files(model, one, tmp_path, words):
    command, *options = words
    for name in ("a.svg", "b.svg", "c.png"):
        ran(command, model, one, *options, "-o", str(tmp_path / name))
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    text = (tmp_path / "a.svg").read_text()
    assert text == (tmp_path / "b.svg").read_text()
    assert "p1" in text and "</svg>" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.svg", "b.svg", "c.png", "one.fa"]


def test_pictures_of_many_go_into_a_folder(model, three, tmp_path):
    said = refused("mutate", model, three, "-o", str(tmp_path / "out.png"))
    assert "holds one picture, and there are 3 sequences" in said
    ran("mutate", model, three, "-o", str(tmp_path / "pictures"), "--format", "png")
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == ["1-p1.png", "2-a_b_c.png", "3-p3.png"]
    assert not (tmp_path / "pictures.partial").exists()


def test_one_json_object_is_printed(model, three, tmp_path):
    out = tmp_path / "out.tsv"
    result = json.loads(ran("mutate", model, three, "--json", "-o", str(out), "--seed", "4"))
    assert result["output"] == str(out) and result["seed"] == 4 and "rows" not in result
    assert [said["id"] for said in result["sequences"]] == ["p1", "a/b c", "p3"]
    assert result["sequences"][1]["probability"] == pytest.approx(0.5, abs=1e-6)
    rows = json.loads(ran("scramble", model, three, "--json", "--k", "6", "--draws", "1"))["rows"]
    assert len(rows) == 3 * (LENGTH - 5) and rows[0]["spread"] is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["saliency", "--method", "deeplift"], "deeplift"),
        (["saliency", "--label", "gene"], "no class 'gene'"),
        (["saliency", "--format", "bedgraph"], "--region"),
        (["saliency", "-o", "out.xlsx"], "suffix .xlsx"),
        (["saliency", "-o", "nowhere/out.tsv"], "is not there"),
        (["saliency", "--format", "npz"], "needs a file"),
        (["saliency", "--site", "31"], "beyond its last base"),
        (["saliency", "--circular"], "--region"),
        (["saliency", "--region", "p1:1-20"], "20 bases"),
        (["saliency", "--region", "p2:1-30"], "no record p2"),
        (["mutate", "--edits", "T>A"], "is no change"),
        (["mutate", "--edits", ""], "there is no change"),
        (["mutate", "--edits", "1G>A", "--indels", "1"], "one at a time"),
        (["mutate", "--pairs", "20-40"], "within its 30 bases"),
        (["mutate", "--indels", "60"], "60 bases"),
        (["mutate", "--indels", "30"], "cannot be taken out"),
        (["mutate", "--pairs", "1-5", "--region", "p1:1-30", "--format", "bedgraph"], "one score for each base"),
        (["scramble", "--k", "16"], "1 to 15"),
        (["scramble", "--k", "three"], "numbers from 1 to 15"),
        (["scramble", "--insert", "TANAAT"], "nothing to put in"),
        (["scramble", "--insert", "T" * 31], "31 are to be replaced"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(model, one, words, sentence):
    command, *options = words
    assert sentence in " ".join(refused(command, model, one, *options).replace("│", " ").split())
