"""The text that pre-training reads: what is kept out, and lanes over both strands."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from toy_models import both_strands_text, random_codes, toy_dataset, write_genome

from dnalm.alphabet import decode, encode, reverse_complement
from dnalm.errors import InputError
from dnalm.sequences import Record, Region
from dnalm.training.config import PretrainConfig
from dnalm.training.corpus import MOST_TOLD, Corpus, Holdout, Lanes, build_corpus
from dnalm.training.genomes import prepare_corpus

REGION = Region("chr", 20, 30)


class TestSpans:
    @pytest.mark.parametrize(
        ("holdout", "train", "held_out"),
        [
            (Holdout(0), [(0, 100)], []),
            (Holdout(0.1), [(0, 90)], [(90, 100)]),
            (Holdout(0.1, exclude=(REGION,)), [(0, 20), (30, 90)], [(90, 100)]),
            (Holdout(0.75, exclude=(REGION,)), [(0, 20)], [(30, 100)]),
            (Holdout(0, exclude=(Region("other", 0, 50),)), [(0, 100)], []),
            (Holdout(0, exclude=(REGION, Region("chr", 25, 60, "-"))), [(0, 20), (60, 100)], []),
            (Holdout(0, exclude=(Region("chr", 0, 10), Region("chr", 90, 100))), [(10, 90)], []),
            (Holdout(0.1, records=("chr",)), [], [(0, 100)]),
            (Holdout(0.1, records=("other",)), [(0, 100)], []),
        ],
    )
    def test_by_hand(self, holdout, train, held_out):
        assert holdout.spans("chr", 100) == (train, held_out)

    def test_a_region_over_a_circles_origin_is_cut_on_both_sides_of_it(self):
        holdout = Holdout(0.1, exclude=(Region("chr", 95, 105),))
        assert holdout.spans("chr", 100, circular=True) == ([(5, 90)], [(90, 95)])

    @pytest.mark.parametrize(("region", "circular"), [((200, 210), True), ((90, 101), False), ((90, 201), True)])
    def test_a_region_beyond_the_record_is_refused(self, region, circular):
        with pytest.raises(InputError, match="kept out, but chr has 100 bases"):
            Holdout(0, exclude=(Region("chr", *region),)).spans("chr", 100, circular=circular)

    @hypothesis_settings(max_examples=100, deadline=None)
    @given(
        share=st.floats(0, 0.9),
        cuts=st.lists(st.tuples(st.integers(0, 199), st.integers(1, 60)), max_size=5),
    )
    def test_every_base_is_train_held_out_or_cut(self, share, cuts):
        regions = tuple(Region("chr", start, start + size) for start, size in cuts)
        train, held_out = Holdout(share, exclude=regions).spans("chr", 200, circular=True)
        seen = np.zeros(200, dtype=int)
        for start, end in train + held_out:
            seen[start:end] += 1
        cut = np.zeros(200, dtype=bool)
        for region in regions:
            cut[np.arange(region.start, region.end) % 200] = True
        assert np.array_equal(seen, (~cut).astype(int))


def records(*lengths: int) -> list[Record]:
    return [Record(f"r{n}", random_codes(length, seed=n)) for n, length in enumerate(lengths)]


class TestBuilding:
    def test_both_texts_with_a_break_behind_each_piece(self, tmp_path):
        record = Record("r", encode("AACCGGTTAC"))
        corpus = build_corpus([record], tmp_path / "c", Holdout(0.2, exclude=(Region("r", 2, 4),)))
        assert decode(np.array(corpus.train())) == "AANGGTTN"
        assert decode(np.array(corpus.held_out())) == "ACN"
        assert corpus.info["records"] == [{"id": "r", "length": 10, "train": [[0, 2], [4, 8]], "held_out": [[8, 10]]}]
        assert corpus.info["train_bases"] == 8

    def test_a_whole_record_held_out(self, tmp_path):
        corpus = build_corpus(records(50, 30), tmp_path / "c", Holdout(records=("r1",)))
        assert len(corpus.train()) == 51
        assert np.array_equal(corpus.held_out()[:-1], random_codes(30, seed=1))

    def test_nothing_held_out_reads_as_an_empty_text(self, tmp_path):
        assert len(build_corpus(records(50), tmp_path / "c", Holdout(0)).held_out()) == 0

    @pytest.mark.parametrize(
        ("holdout", "words"),
        [
            (Holdout(records=("chrX",)), "kept out, but not in the genomes: chrX; records there: r0"),
            (Holdout(exclude=(Region("chrY", 0, 5),)), "kept out, but not in the genomes: chrY"),
            (Holdout(records=("r0",)), "no text is left to train on"),
            (Holdout(exclude=(Region("r0", 60, 70),)), "r0 has 50 bases"),
        ],
    )
    def test_a_mistake_is_named_and_leaves_nothing_behind(self, tmp_path, holdout, words):
        with pytest.raises(InputError, match=words):
            build_corpus(records(50), tmp_path / "c", holdout)
        assert list(tmp_path.iterdir()) == []

    def test_the_hash_is_of_the_text_and_of_what_was_cut(self, tmp_path):
        holdouts = [Holdout(0), Holdout(0), Holdout(0.1), Holdout(0, exclude=(Region("r0", 3, 9),))]
        hashes = [build_corpus(records(50), tmp_path / str(n), one).hash for n, one in enumerate(holdouts)]
        assert hashes[0] == hashes[1]
        assert len(set(hashes)) == 3

    def test_building_over_a_broken_one(self, tmp_path):
        (tmp_path / "c").mkdir()
        build_corpus(records(50), tmp_path / "c", Holdout(0))
        assert len(Corpus(tmp_path / "c").train()) == 51
        assert [path.name for path in tmp_path.iterdir()] == ["c"]


class TestLanes:
    @hypothesis_settings(max_examples=150, deadline=None)
    @given(
        length=st.integers(40, 200),
        lanes=st.integers(1, 3),
        window=st.integers(1, 9),
        overlap=st.integers(1, 4),
        seed=st.integers(0, 1000),
        both=st.booleans(),
        data=st.data(),
    )
    def test_a_step_is_a_stretch_of_the_text_and_its_reverse_complement(
        self, length, lanes, window, overlap, seed, both, data
    ):
        text = random_codes(length, seed, unknown=0.1)
        whole = both_strands_text(text) if both else text
        reader = Lanes(text, lanes=lanes, window=window, overlap=overlap, seed=seed, both_strands=both)
        number = data.draw(st.integers(0, 3 * reader.steps_per_epoch))
        codes, fresh = reader.step(number)
        epoch, within = divmod(number, reader.steps_per_epoch)
        assert fresh == (within == 0)
        for row, start in zip(codes, reader.starts(epoch), strict=True):
            places = (start + within * window + np.arange(window + overlap)) % len(whole)
            assert np.array_equal(row, whole[places])

    def test_lanes_share_the_text_without_reading_any_base_twice_in_an_epoch(self):
        reader = Lanes(random_codes(500), lanes=4, window=10, overlap=3, seed=1)
        seen = np.zeros(1000, dtype=int)
        for start in reader.starts(0):
            seen[(start + np.arange(reader.steps_per_epoch * 10)) % 1000] += 1
        assert seen.max() == 1
        assert seen.sum() >= 1000 - 4 * (10 + 3)

    def test_processes_read_what_one_would(self):
        reader = Lanes(random_codes(500), lanes=6, window=10, overlap=3, seed=1)
        whole, _ = reader.step(5)
        for rank in range(3):
            assert np.array_equal(reader.step(5, slice(rank, None, 3))[0], whole[rank::3])

    def test_an_epoch_is_a_function_of_seed_and_number(self):
        def starts(seed, epoch):
            return Lanes(random_codes(500), lanes=2, window=10, overlap=3, seed=seed).starts(epoch)

        assert starts(1, 4) == starts(1, 4)
        assert len({tuple(starts(seed, epoch)) for seed in (1, 2) for epoch in (0, 1, 2)}) == 6

    def test_a_text_too_short_for_its_lanes_is_refused(self):
        with pytest.raises(InputError, match="the training text of 50 bases is too short for 8 lanes of 13 bases"):
            Lanes(random_codes(50), lanes=8, window=10, overlap=3, seed=0)

    def test_pages_read_can_be_let_go(self, tmp_path):
        text = build_corpus(records(50), tmp_path / "c", Holdout(0)).train()
        reader = Lanes(text, lanes=1, window=10, overlap=3, seed=0)
        before = reader.step(0)[0]
        reader.release()
        assert np.array_equal(reader.step(0)[0], before)


class TestPreparing:
    def test_twenty_bases_shared_with_a_dataset_are_cut(self, home, tmp_path):
        """25 bases on the forward strand, 22 on the other; 19 are too few."""
        text = random_codes(400, seed=1)
        dataset = toy_dataset(tmp_path / "set", n=24, length=25)
        planted = dataset.codes()
        text[50:75] = planted[0]
        text[200:222] = reverse_complement(planted[3])[:22]
        text[300:319] = planted[5][:19]
        for at in (49, 75, 199, 222, 299, 319):  # no chance match may lengthen a stretch
            text[at] = 4
        genome = tmp_path / "genome.fna"
        genome.write_text(f">r\n{decode(text)}\n")
        config = PretrainConfig(genomes=[str(genome)], held_out=0, exclude_matches=str(dataset.folder))
        corpus, sources = prepare_corpus(config)
        assert corpus.info["records"][0]["train"] == [[0, 50], [75, 200], [222, 400]]
        assert len(sources[0]["sha256"]) == 64
        again, _ = prepare_corpus(config)
        assert again.folder == corpus.folder
        other, _ = prepare_corpus(config.model_copy(update={"exclude_matches": None}))
        assert other.info["records"][0]["train"] == [[0, 400]]

    def test_regions_are_given_as_people_write_them(self, home, tmp_path):
        genome = write_genome(tmp_path / "g.fna", 1000, name="chr")
        config = PretrainConfig(genomes=[str(genome)], held_out=0, exclude=["chr:101-200", "chr:1,000-1,000"])
        assert prepare_corpus(config)[0].info["records"][0]["train"] == [[0, 100], [200, 999]]

    def test_a_genome_that_is_not_there(self, home):
        with pytest.raises(InputError, match="nowhere: no such file, and no such genome in the catalogue"):
            prepare_corpus(PretrainConfig(genomes=["nowhere"]))


def test_of_very_many_records_the_first_are_told_and_how_many_more(tmp_path):
    records = [Record(f"r{number}", random_codes(30, number)) for number in range(MOST_TOLD + 3)]
    corpus = build_corpus(records, tmp_path / "many", Holdout(share=0.1))
    assert len(corpus.info["records"]) == MOST_TOLD + 3
    assert [row["id"] for row in corpus.told["records"]] == [f"r{number}" for number in range(MOST_TOLD)]
    assert corpus.told["more_records"] == 3
    assert corpus.told["sha256"] == corpus.hash
    few = build_corpus(records[:2], tmp_path / "few", Holdout(share=0.1))
    assert few.told == few.info
