"""Embeddings on models whose vectors are put there by hand: neighbours, pictures, files and the command."""

from __future__ import annotations

import builtins
import io
import json

import numpy as np
import pytest
import torch
import toy_models
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_blobs
from typer.testing import CliRunner

from dnalm.alphabet import decode, encode, reverse_complement
from dnalm.annotation import Site
from dnalm.cli import app
from dnalm.errors import InputError
from dnalm.files import picture_bytes
from dnalm.interpret import projection as projecting
from dnalm.interpret.around_sites import around, elsewhere
from dnalm.interpret.calls import FALSE, MISSED, RIGHT, UNKNOWN, UNREAD, WRONG, Calls, _outcome, calls_of
from dnalm.interpret.colouring import MOST_CLASSES, NO_CLASS, OTHERS, choices, colouring
from dnalm.interpret.embedding import (
    Embedding,
    encoder_of,
    kmer_vectors,
    mean_states,
    nearest,
    neighbours,
    reverse_complement_ranks,
    sample,
    sequence_vectors,
)
from dnalm.interpret.embedding_files import draw, faithfulness, npz_bytes, table, tsv_text
from dnalm.interpret.kmer_neighbours import kmer_neighbours
from dnalm.interpret.projection import NO_UMAP, project, trustworthiness
from dnalm.model.predict import load
from dnalm.sequences import LabelledSequence, Record

needs_umap = pytest.mark.skipif(not projecting.has_umap(), reason="the extra umap is not installed")


def hand_made(letters, vectors):
    """k-mers with vectors of one's own."""
    codes = tuple(encode(one) for one in letters)
    return Embedding("toy", "kmers", tuple(letters), codes, (None,) * len(codes), np.array(vectors, np.float32))


def labelled(*texts, label=None):
    return [LabelledSequence(f"s{number}", encode(text), label) for number, text in enumerate(texts)]


@pytest.fixture
def lm(tmp_path):
    toy_models.language_model_bundle(tmp_path / "lm")
    return load(tmp_path / "lm")


@pytest.fixture
def caller(tmp_path):
    toy_models.classifier_bundle(tmp_path / "caller", toy_models.classifier(toy_models.aligned(20)))
    return load(tmp_path / "caller")


@pytest.fixture
def blobs():
    """Three tight groups, far apart, in eight dimensions; and which group each point is of."""
    found, group = make_blobs(90, 8, centers=3, cluster_std=0.3, center_box=(-8, 8), random_state=1)
    return found.astype(np.float32), group


def test_a_kmers_vector_is_its_row_of_the_matrix_and_pad_and_unknown_have_none(lm):
    found = kmer_vectors(lm)
    weights = lm.module.encoder.embedding.weight.detach().numpy()
    assert len(found) == 64
    assert found.ids[:5] == ("AAA", "AAC", "AAG", "AAT", "ACA")
    assert [decode(codes) for codes in found.codes] == list(found.ids)
    np.testing.assert_array_equal(found.vectors, weights[:64])
    found.vectors[:] = 0  # a copy: the model keeps its own
    assert weights[:64].any()


def test_a_sequences_vector_is_the_mean_state_over_both_strands(lm):
    one = toy_models.random_codes(31, seed=1)
    found = sequence_vectors(lm, [Record("one", one)]).vectors[0]
    states = []
    for codes in (one, reverse_complement(one)):
        text = torch.from_numpy(codes[None].astype(np.int64))
        with torch.inference_mode():
            states.append(lm.module.encoder(lm.module.encoder.embed(text))[0][0])
    np.testing.assert_allclose(found, torch.cat(states).mean(0).numpy(), atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text("ACGTN", min_size=3, max_size=40), min_size=1, max_size=6))
def test_neither_company_nor_strand_changes_a_vector(texts):
    encoder = toy_models.language_model().encoder.eval()
    model = type("Toy", (), {})()
    model.name, model.device = "toy", torch.device("cpu")
    model.config = type("Config", (), {"kind": "language-model"})()
    model.module = type("Module", (), {"encoder": encoder})()
    together = sequence_vectors(model, labelled(*texts)).vectors
    for row, text in enumerate(texts):
        alone = sequence_vectors(model, labelled(decode(reverse_complement(encode(text))))).vectors[0]
        np.testing.assert_allclose(together[row], alone, atol=1e-6)


def test_a_long_sequence_read_in_stretches_has_the_same_vector(lm, monkeypatch):
    codes = torch.from_numpy(np.stack([toy_models.random_codes(301, seed=seed) for seed in (1, 2)]))
    lengths = torch.tensor([301, 120])
    codes[1, 120:] = 4
    whole = mean_states(lm.module.encoder, codes, lengths)
    monkeypatch.setattr("dnalm.interpret.embedding._STRETCH", 7)
    np.testing.assert_allclose(mean_states(lm.module.encoder, codes, lengths), whole, atol=1e-6)


def test_progress_is_told_and_order_is_kept(lm):
    texts = ["ACGTACGTAC", "TTT", "GGGCCCAAATTT"]
    told = []
    found = sequence_vectors(lm, labelled(*texts), progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (3, 3)
    assert [decode(codes) for codes in found.codes] == texts


def test_what_cannot_be_read_is_refused_by_name(lm, caller):
    with pytest.raises(InputError, match="sequence 's1' has 2 bases; lm reads 3 or more"):
        sequence_vectors(lm, labelled("ACG", "AC"))
    with pytest.raises(InputError, match="no sequence"):
        sequence_vectors(lm, [])
    with pytest.raises(InputError, match="has one encoder: there is no member 2"):
        encoder_of(caller, 1)


def test_each_member_of_an_ensemble_has_its_own_encoder(tmp_path):
    module = toy_models.classifier(toy_models.aligned(20), toy_models.aligned(20))
    toy_models.classifier_bundle(tmp_path / "two", module)
    model = load(tmp_path / "two")
    first, second = (kmer_vectors(model, member=member).vectors for member in (0, 1))
    assert not np.allclose(first, second)
    np.testing.assert_array_equal(second, model.module.members[1].encoder.embedding.weight[:64].numpy())


def test_neighbours_are_by_angle_and_not_by_length():
    found = hand_made(["AA", "AC", "AG", "AT"], [[1, 0], [100, 1], [0.9, 0.5], [-1, 0]])
    near = neighbours(found, 0)
    assert [one.id for one in near] == ["AC", "AG", "AT"]
    assert [one.rank for one in near] == [1, 2, 3]
    assert near[0].similarity == pytest.approx(1, abs=1e-4)
    assert near[2].similarity == -1
    assert [one.id for one in neighbours(found, 3, 1)] == ["AG"]
    rows, values = nearest(found)
    assert list(rows) == [1, 0, 1, 2]
    assert values[3] == pytest.approx(-0.9 / np.hypot(0.9, 0.5))


def test_nearest_is_the_same_a_block_at_a_time(monkeypatch):
    vectors = np.random.default_rng(0).normal(size=(16, 4))
    found = hand_made([f"{a}{b}" for a in "ACGT" for b in "ACGT"], vectors)
    whole, ranks = nearest(found), reverse_complement_ranks(found)
    monkeypatch.setattr("dnalm.interpret.embedding._BLOCK", 40)
    for one, other in zip(whole, nearest(found), strict=True):
        np.testing.assert_allclose(one, other)
    np.testing.assert_array_equal(reverse_complement_ranks(found), ranks)
    for row, name in enumerate(found.ids):
        other = decode(reverse_complement(encode(name)))
        place = [one.rank for one in neighbours(found, row, 15) if one.id == other]
        assert ([int(ranks[row])] if ranks[row] else []) == place


def test_the_count_of_nearest_neighbours_by_hand():
    # Eight pairs, each with a direction of its own, so that each 2-mer's nearest is the other of its pair.
    pairs = ["AA", "CA", "AC", "AG", "TT", "TA", "CC", "GG", "GA", "TC", "AT", "CG", "CT", "GC", "GT", "TG"]
    vectors = np.repeat(np.eye(8), 2, axis=0)
    order = np.argsort(pairs)
    found = kmer_neighbours(hand_made([pairs[row] for row in order], vectors[order]))
    assert (found.first.count, found.first.of) == (2, 16)  # AA and CA
    assert (found.last.count, found.last.of) == (4, 16)  # AC and AG, TT and TA
    assert (found.reverse_complement.count, found.reverse_complement.of) == (4, 12)  # CC and GG, GA and TC
    assert found.median_rank == 2  # of the other eight it is as far as all else, behind the other of the pair
    assert (found.first.by_chance, found.inner.by_chance) == (3 / 15, 0)
    assert str(found.reverse_complement) == "4 of 12 (33.3%; by chance 6.7%)"


def test_a_kmer_is_found_however_it_is_written(lm):
    found = kmer_vectors(lm)
    assert found.ids[found.find(" uac ")] == "TAC"
    for wrong in ("TA", "TAN", "TACG", "x"):
        with pytest.raises(InputError, match="3 letters of A, C, G and T are wanted"):
            found.find(wrong)
    with pytest.raises(InputError, match="was not drawn"):
        found.take(np.arange(3)).find("TTT")
    sequences = sequence_vectors(lm, labelled("ACGT", "TTTT"))
    assert sequences.find("s1") == 1
    with pytest.raises(InputError, match="no sequence has the id 'S1'"):
        sequences.find("S1")


@given(st.integers(1, 60), st.integers(1, 30), st.integers(0, 5), st.data())
def test_a_sample_is_in_order_without_repeats_and_holds_what_it_must(total, most, seed, data):
    keep = data.draw(st.one_of(st.none(), st.integers(0, total - 1)))
    rows = sample(total, most, np.random.default_rng(seed), keep)
    assert len(rows) == min(total, most)
    assert list(rows) == sorted(set(rows))
    assert keep is None or keep in rows
    np.testing.assert_array_equal(rows, sample(total, most, np.random.default_rng(seed), keep))


def test_pca_tells_the_variance_of_each_axis():
    rng = np.random.default_rng(0)
    corners = np.array([[3, 2, 0], [3, -2, 0], [-3, 2, 0], [-3, -2, 0]] * 5, float)
    found = project(corners, "pca", rng)
    assert found.variance == pytest.approx((9 / 13, 4 / 13))
    np.testing.assert_allclose(np.abs(found.points), np.abs(corners[:, :2]), atol=1e-9)
    assert found.axes()[0] == "first principal component (69.2% of the variance)"
    assert project(np.ones((6, 3)), "pca", rng).variance == (0.0, 0.0)


@pytest.mark.parametrize("method", ["pca", "tsne", pytest.param("umap", marks=needs_umap)])
def test_the_same_seed_gives_the_same_picture_and_groups_stay_apart(blobs, method):
    vectors, group = blobs
    state = np.random.get_state()[1].copy()
    first, again = (project(vectors, method, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first.points, again.points)
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    assert first.trust == again.trust or first.trust.value == again.trust.value
    assert first.trust.value > 0.85
    assert (first.variance is None) == (method != "pca")
    distance = np.linalg.norm(first.points[:, None] - first.points[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (group[distance.argmin(1)] == group).all()


def test_trustworthiness_is_one_of_the_truth_and_about_half_of_noise(blobs):
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, 2 * np.pi, 200)
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)
    true = trustworthiness(circle, circle, rng)
    assert (true.value, true.k, true.points) == (1.0, 10, 200)
    assert trustworthiness(circle, rng.normal(size=(200, 2)), rng).value == pytest.approx(0.5, abs=0.06)
    assert trustworthiness(circle[:4], circle[:4], rng) is None
    assert trustworthiness(circle[:9], circle[:9], rng).k == 4


def test_of_many_points_some_are_judged(monkeypatch):
    monkeypatch.setattr(projecting, "MOST_JUDGED", 30)
    found = project(np.random.default_rng(0).normal(size=(80, 5)), "pca", np.random.default_rng(0))
    assert found.trust.points == 30


def test_what_cannot_be_drawn_is_refused(blobs, monkeypatch):
    vectors, rng = blobs[0], np.random.default_rng(0)
    with pytest.raises(InputError, match="t-SNE wants 5 points or more; here are 4"):
        project(vectors[:4], "tsne", rng)
    with pytest.raises(InputError, match="there is no method 'mds'"):
        project(vectors, "mds", rng)
    with pytest.raises(InputError, match="two or more are wanted"):
        project(vectors[:, :1], "pca", rng)
    monkeypatch.setattr(projecting, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=NO_UMAP.split(":")[0]):
        project(vectors, "umap", rng)


def test_umap_is_not_imported_before_it_is_asked_for(blobs, monkeypatch):
    real = builtins.__import__

    def refuse(name, *rest, **more):
        assert name.split(".")[0] not in ("umap", "numba")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert project(blobs[0], "pca", np.random.default_rng(0)).trust is not None


@pytest.mark.parametrize(
    ("called", "label", "positive", "outcome"),
    [
        ("yes", "yes", "yes", RIGHT),
        ("no", "yes", "yes", MISSED),
        ("yes", "no", "yes", FALSE),
        ("no", "yes", None, WRONG),
        ("yes", None, "yes", UNKNOWN),
        ("yes", "maybe", "yes", UNKNOWN),
        (None, "yes", "yes", UNREAD),
    ],
)
def test_outcomes(called, label, positive, outcome):
    assert _outcome(called, label, {"yes", "no"}, positive) == outcome


def test_calls_are_the_classifiers_own_and_other_lengths_are_not_called(caller):
    texts = [decode(toy_models.random_codes(length, seed=length)) for length in (20, 19, 20)]
    points = sequence_vectors(caller, labelled(*texts, label="promoter"))
    found = calls_of(caller, points)
    own = caller.predict([texts[0], texts[2]])
    assert [found.called[0], found.called[2]] == [one.label for one in own]
    np.testing.assert_allclose(found.probabilities[[0, 2]], [one.probability for one in own], rtol=1e-6)
    assert np.isnan(found.probabilities[1])
    assert found.outcomes[1] == UNREAD
    assert found.outcomes[0] in (RIGHT, MISSED)
    assert found.take(np.array([1])).outcomes == (UNREAD,)


def test_colours_by_bases_gc_and_class(lm):
    kmers = kmer_vectors(lm)
    assert choices(kmers, None) == ["last", "first", "gc"]
    first, last = colouring(kmers, "first"), colouring(kmers, "last")
    row = kmers.find("GAT")
    assert (first.groups[row], last.groups[row]) == ("GA", "AT")
    assert first.order[0] == "AA"
    assert len(first.order) == 16
    share = colouring(kmers, "gc")
    assert (share.numbers[row], share.limits) == (pytest.approx(1 / 3), (0.0, 1.0))
    with pytest.raises(InputError, match="cannot be coloured by 'class'; they can by last, first, gc"):
        colouring(kmers, "class")


def test_rare_classes_share_a_colour_and_none_is_none(lm):
    names = [f"c{number}" for number in range(12) for _ in range(3 if number < MOST_CLASSES else 1)]
    every = [LabelledSequence(f"i{row}", encode("ACGT"), name) for row, name in enumerate(names)]
    points = sequence_vectors(lm, [*every, LabelledSequence("bare", encode("ACGT"), None)])
    found = colouring(points, "class")
    assert found.order == (*sorted(f"c{number}" for number in range(MOST_CLASSES)), OTHERS, NO_CLASS)
    assert found.groups[-1] == NO_CLASS
    assert choices(points, None) == ["class", "gc"]
    assert choices(sequence_vectors(lm, labelled("ACGT")), None) == ["gc"]


def test_the_table_says_what_is_known_of_each_point(lm):
    points = kmer_vectors(lm)
    picture = project(points.vectors, "pca", np.random.default_rng(0))
    chosen = points.find("GAT")
    frame = table(points, picture, chosen=chosen)
    assert list(frame.columns) == [
        *("id", "x", "y", "gc", "nearest", "nearest_similarity"),
        *("reverse_complement", "reverse_complement_rank", "similarity", "rank"),
    ]
    row = frame.set_index("id").loc["GAT"]
    assert (row["reverse_complement"], row["rank"]) == ("ATC", 0)
    assert row["similarity"] == pytest.approx(1, abs=1e-5)
    assert frame.sort_values("rank")["id"].iloc[1] == row["nearest"] == neighbours(points, chosen)[0].id
    lines = tsv_text(frame).splitlines()
    assert len(lines) == 65
    assert lines[1].split("\t")[0] == "AAA"


def test_vectors_survive_the_file_and_pictures_are_equal(caller):
    texts = [decode(toy_models.random_codes(20, seed=seed)) for seed in range(12)]
    points = sequence_vectors(caller, labelled(*texts, label="promoter"))
    calls = calls_of(caller, points)
    picture = project(points.vectors, "pca", np.random.default_rng(0))
    with np.load(io.BytesIO(npz_bytes(points, picture, calls)), allow_pickle=False) as read:
        np.testing.assert_array_equal(read["vectors"], points.vectors)
        assert list(read["id"]) == list(points.ids)
        assert list(read["sequence"]) == texts
        assert list(read["outcome"]) == list(calls.outcomes)
        assert float(read["trustworthiness"]) == picture.trust.value
    near = neighbours(points, 0)
    for by in choices(points, calls):
        figure = draw(points, picture, colouring(points, by, calls), chosen=0, near=near)
        svg = picture_bytes(figure, "svg")
        assert b"12 sequences as caller places them, by PCA" in svg
    again = draw(points, picture, colouring(points, by, calls), chosen=0, near=near)
    assert picture_bytes(again, "svg") == svg
    assert picture_bytes(again, "png").startswith(b"\x89PNG")
    with pytest.raises(InputError, match="png or svg"):
        picture_bytes(again, "pdf")
    assert faithfulness(picture).startswith("The two axes keep ")


def test_unknown_probabilities_are_drawn_apart(caller):
    points = sequence_vectors(caller, labelled("ACGTACGT", "ACGTAGGT", "TTGTACGT"))
    calls = Calls("promoter", ("promoter", None, None), np.array([0.5, np.nan, np.nan]), (RIGHT, UNREAD, UNREAD))
    picture = project(points.vectors, "pca", np.random.default_rng(0))
    assert picture.trust is None
    svg = picture_bytes(draw(points, picture, colouring(points, "probability", calls)), "svg")
    assert b"probability of promoter" in svg
    assert b"too few points" in svg


def test_windows_around_sites_put_the_site_where_it_belongs():
    record = Record("r", toy_models.random_codes(400, seed=5))
    sites = [Site("r", 100, "+", "ahead"), Site("r", 200, "-", "back"), Site("r", 3, "+", "end"), Site("q", 50, "+")]
    found = around(record, sites, 21, 15, "start")
    assert [one.id for one in found] == ["ahead", "back"]
    assert found[0].codes[15] == record.codes[100]
    assert found[1].codes[15] == 3 - record.codes[200]
    assert {len(one.codes) for one in found} == {21}


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 20), st.integers(1, 40), st.integers(0, 100))
def test_random_windows_keep_away_from_sites_and_fit(site_at, count, seed):
    record = Record("r", toy_models.random_codes(300, seed=5))
    site = Site("r", 150, "+")
    found = elsewhere(record, [site], 21, site_at, count, "else", np.random.default_rng(seed))
    assert len(found) == count
    assert len({one.id for one in found}) == count
    for one in found:
        position, strand = int(one.id.split(":")[1].split("(")[0]) - 1, one.id[-2]
        assert len(one.codes) == 21
        assert strand == "-" or abs(position - 150) > 21
        base = record.codes[position]
        assert one.codes[site_at] == (base if strand == "+" else 3 - base)


def run(*words, code=0):
    result = CliRunner().invoke(app, ["explain", "embed", *map(str, words)])
    assert result.exit_code == code, result.output + result.stderr
    return result


def test_the_command_writes_kmers(lm, tmp_path):
    found = run(lm.bundle.folder, "--neighbours-of", "gat")
    rows = [line.split("\t") for line in found.stdout.splitlines()]
    assert len(rows) == 65
    assert rows[0][:3] == ["id", "x", "y"]
    assert "nearest to GAT, by cosine similarity of the whole vectors" in found.stderr
    assert "Trustworthiness" in found.stderr
    report = json.loads(run(lm.bundle.folder, "--neighbours-of", "GAT", "--json").stdout)
    assert (report["what"], report["points"], report["drawn_from"], len(report["neighbours"])) == ("kmers", 64, 64, 10)
    assert sum(report["variance"]) <= 1
    assert report["nearest_neighbours"]["first"]["of"] == 64
    assert report["rows"][0]["id"] == "AAA"
    assert report["rows"][0]["rank"] == int(rows[1][-1])


def test_the_command_embeds_a_files_sequences_in_every_format(caller, tmp_path):
    lines = [
        f"s{n}\t{decode(toy_models.random_codes(20, seed=n))}\t{('background', 'promoter')[n % 2]}" for n in range(30)
    ]
    (tmp_path / "set.tsv").write_text("id\tsequence\tlabel\n" + "\n".join(lines) + "\n")
    out = tmp_path / "out"
    for ending in ("tsv", "npz", "png", "svg"):
        run(caller.bundle.folder, tmp_path / "set.tsv", "-o", f"{out}.{ending}", "--at-most", 20, "--seed", 2)
    header, *rows = out.with_suffix(".tsv").read_text().splitlines()
    assert header.split("\t")[-3:] == ["called", "probability", "outcome"]
    assert len(rows) == 20
    first = out.with_suffix(".tsv").read_bytes()
    run(caller.bundle.folder, tmp_path / "set.tsv", "-o", f"{out}.tsv", "--at-most", 20, "--seed", 2)
    assert out.with_suffix(".tsv").read_bytes() == first
    with np.load(out.with_suffix(".npz"), allow_pickle=False) as read:
        assert read["vectors"].shape == (20, 12)
    told = run(caller.bundle.folder, tmp_path / "set.tsv", "--at-most", 20, "--neighbours-of", "s7", "--json")
    assert "s7" in [row["id"] for row in json.loads(told.stdout)["rows"]]


def test_the_command_reads_a_part_of_a_dataset(caller, home):
    toy_models.toy_dataset(home / "datasets" / "toy")
    found = json.loads(run(caller.bundle.folder, "toy", "--json").stdout)
    assert found["points"] == 16
    assert {row["class"] for row in found["rows"]} == {"background", "promoter"}
    assert json.loads(run(caller.bundle.folder, "toy", "--split", "all", "--json").stdout)["points"] == 96


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--what", "sequences"], "--what sequences wants a FILE"),
        (["FILE", "--what", "kmers"], "--what kmers reads no FILE"),
        (["--neighbours-of", "GATTACA"], "is no k-mer of lm"),
        (["FILE", "--neighbours-of", "nobody"], "no sequence has the id 'nobody'"),
        (["--member", "2"], "there is no member 2"),
        (["--format", "png"], "needs a file"),
        (["-o", "out.pdf"], "says no format"),
        (["--colour", "gc"], "--colour is of a picture"),
        (["FILE", "--method", "tsne"], "t-SNE wants 5 points or more; here are 2"),
    ],
)
def test_what_the_command_cannot_do_is_said(lm, tmp_path, words, sentence):
    (tmp_path / "two.fa").write_text(">a\nACGTACGT\n>b\nTTTTACGT\n")
    given_words = [str(tmp_path / "two.fa") if word == "FILE" else word for word in words]
    assert sentence in " ".join(run(lm.bundle.folder, *given_words, code=2).stderr.split())
