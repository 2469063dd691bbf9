"""The recipes on real data, with counts known from the sources, and their parts on genomes made by hand."""

from __future__ import annotations

import csv
import gzip

import numpy as np
import pytest

from dnalm.alphabet import decode, encode
from dnalm.annotation import Gene, read_genes, read_sites
from dnalm.datasets import Dataset, catalog, recipes
from dnalm.datasets.building import one_chromosome, source_text
from dnalm.datasets.demo import sigma70_sites, write_demo
from dnalm.datasets.place import likeliest, place
from dnalm.datasets.splits import shared_with
from dnalm.datasets.windows import DEMO_REGION, inner_windows, overlaps, random_windows, start_window, start_windows
from dnalm.errors import InputError
from dnalm.sequences import Record, Region, read_records
from dnalm.settings import settings

CIRCLE = Record("c", encode("AACCGGTTACGTTGCA" + "T" * 30 + "GATTACA"), circular=True)


def gene(start: int, end: int, strand: str, name: str = "g") -> Gene:
    return Gene("c", start, end, strand, name, "CDS")


def test_a_start_window_has_the_first_base_of_the_gene_at_its_anchor():
    record = Record("c", np.random.default_rng(0).integers(0, 4, 500, dtype=np.uint8), circular=True)
    for one in (gene(200, 290, "+"), gene(200, 290, "-"), gene(30, 90, "+"), gene(400, 490, "-")):
        region = start_window(one, 100, 50, len(record))
        codes = record.extract(region)
        assert len(codes) == 150
        first = record.fetch(one.start_site, one.start_site + 1, one.strand)
        inside = record.fetch(one.start, one.end, one.strand)[:50]
        assert codes[100] == first[0]
        assert codes[100:].tolist() == inside.tolist()


def test_genes_with_one_start_give_one_window():
    windows, shared = start_windows([gene(200, 290, "+", "a"), gene(200, 260, "+", "b"), gene(9, 200, "-")], 10, 5, 500)
    assert [window.gene for window in windows] == ["a", "g"]
    assert shared == 1


def test_inner_windows_lie_in_frame_inside_their_gene_and_touch_no_start_window():
    generator = np.random.default_rng(1)
    record = Record("c", generator.integers(0, 4, 5000, dtype=np.uint8), circular=True)
    genes = [gene(300, 1500, "+", "a"), gene(1600, 2800, "-", "b"), gene(3000, 3100, "+", "tiny")]
    avoid, _ = start_windows(genes, 100, 50, len(record))
    for _ in range(50):
        windows, without = inner_windows(genes, record, 150, 100, avoid, generator)
        assert without == 1
        for window, one in zip(windows, genes[:2], strict=True):
            region = window.region
            assert one.start <= region.start < region.end <= one.end
            assert region.strand == one.strand
            assert not any(overlaps(region, other.region, len(record)) for other in avoid)
            site = region.start + 100 if one.strand == "+" else region.end - 1 - 100
            assert abs(site - one.start_site) % 3 == 0


def test_random_windows_reach_every_site_but_those_near_a_start():
    record = Record("c", np.random.default_rng(2).integers(0, 4, 400, dtype=np.uint8), circular=True)
    starts, _ = start_windows([gene(100, 190, "+"), gene(200, 290, "-")], 30, 20, len(record))
    # 800 sites on two strands, less 2 x 11 around the two starts: drawing all of them leaves no choice.
    windows = random_windows(record, 50, 30, starts, 5, 778, np.random.default_rng(3))
    sites = {"+": set(), "-": set()}
    for window in windows:
        region = window.region
        assert len(record.extract(region)) == 50
        site = region.start + 30 if region.strand == "+" else region.end - 1 - 30
        sites[region.strand].add(site % 400)
    assert sites["+"] == set(range(400)) - set(range(95, 106))
    assert sites["-"] == set(range(400)) - set(range(284, 295))


def test_overlaps_sees_the_origin():
    over = Region("c", 90, 110)
    assert overlaps(over, Region("c", 5, 8), 100)
    assert overlaps(Region("c", 9, 12), over, 100)
    assert not overlaps(over, Region("c", 10, 90), 100)
    assert not overlaps(over, Region("d", 90, 95), 100)


def test_place_finds_both_strands_the_origin_and_repeats():
    queries = [encode(text) for text in ("GATTACAAACC", "TGTAATC", "ACGT", "TTTT", "CCCCC", "ANG")]
    found = place(queries, CIRCLE)
    assert found[0] == [Region("c", 46, 57)]
    assert found[1] == [Region("c", 46, 53, "-")]
    assert found[2] == [Region("c", 8, 12), Region("c", 8, 12, "-")]
    assert len(found[3]) == 27
    assert found[4] == found[5] == []
    for codes, regions in zip(queries, found, strict=True):
        assert all(np.array_equal(CIRCLE.extract(region), codes) for region in regions)
    assert place([encode("GATTACAAACC")], Record("l", CIRCLE.codes)) == [[]]


def test_place_tells_long_sequences_apart_beyond_their_first_31_bases():
    text = np.random.default_rng(5).integers(0, 4, 2000, dtype=np.uint8)
    query = text[700:800].copy()
    query[60] = (query[60] + 1) % 4
    assert place([text[700:800], query], Record("x", text)) == [[Region("x", 700, 800)], []]


def test_of_several_places_the_one_its_header_names():
    regions = [Region("c", 100, 181, "-"), Region("c", 9000, 9081, "-")]
    assert likeliest(regions, "ECK1__xp__reverse__8000") == regions[1]
    assert likeliest(regions, "8000") == regions[0]


def test_sources_are_read_back_as_regions():
    region = Region("NC_000913.3", 799_999, 800_081, "-")
    assert Region.parse(source_text(region)) == region


@pytest.fixture(scope="module")
def made(mirror, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    return {
        (name, split): recipes.make(name, split=split, home=home)
        for name in recipes.RECIPES
        for split in recipes.SPLIT_METHODS
    }


@pytest.mark.parametrize(
    ("name", "positives", "negatives", "window", "demo"),
    [
        ("ecoli-promoters-150", 4313, 3977, 150, 75),
        ("ecoli-promoters-150-masked", 4313, 3977, 150, 75),
        ("ecoli-scan-150", 4313, 12000, 150, 145),
        ("ecoli-sigma70-81", 839, 3000, 81, 5),
        ("bsubtilis-promoters-81", 373, 1000, 81, 0),
        ("mouse-tata-251", 1255, 3530, 251, 0),
        ("human-nontata-251", 4915, 4119, 251, 0),
        ("human-enhancers-500", 3474, 3474, 500, 0),
        ("mrna-lncrna", 4000, 4000, None, 0),
        ("eukaryote-starts-1000", 782, 782, 1000, 0),
    ],
)
def test_each_recipe_has_its_rows_and_its_split_does_not_leak(made, name, positives, negatives, window, demo):
    dataset = made[name, "grouped"]
    labels = dataset.table["label"].value_counts()
    negative, positive = recipes.RECIPES[name].labels
    assert (labels[positive], labels[negative]) == (positives, negatives)
    assert dataset.window == window
    assert int(dataset.table["in_demo_region"].sum()) == demo
    train = dataset.codes(dataset.part("train"))
    for part in ("valid", "test"):
        assert not shared_with(dataset.codes(dataset.part(part)), train).any()
    for split in recipes.SPLIT_METHODS:
        table = made[name, split].table
        assert set(table["split"][table["in_demo_region"]]) <= {"test"}
    assert made[name, "random"].info["audit"]["shared_stretches"]["test"]["shared"] > 0


def test_the_gene_start_sets_have_the_sizes_asked_for(made):
    for split in recipes.SPLIT_METHODS:
        for counts in made["ecoli-promoters-150", split].counts().values():
            assert (counts["test"], counts["valid"]) == (415, 375)


def test_the_start_codon_stands_at_base_100_and_alone_scores_968(made):
    rule = made["ecoli-promoters-150", "grouped"].info["audit"]["start_codon_rule"]
    for part in ("all", "test"):
        assert rule[part]["accuracy"]["value"] == pytest.approx(0.968, abs=0.006)
    dataset = made["ecoli-promoters-150", "grouped"]
    promoters = dataset.table[dataset.table["label"] == "promoter"]
    assert promoters["sequence"].str.slice(100, 103).isin(["ATG", "GTG", "TTG"]).mean() > 0.99


def test_the_masked_twin_has_the_same_rows_and_split_without_the_codon(made):
    plain, masked = (made[name, "grouped"].table for name in ("ecoli-promoters-150", "ecoli-promoters-150-masked"))
    for column in ("id", "label", "split", "source", "in_demo_region"):
        assert plain[column].tolist() == masked[column].tolist()
    assert set(masked["sequence"].str.slice(100, 103)) == {"NNN"}
    assert (plain["sequence"].str.slice(0, 100) == masked["sequence"].str.slice(0, 100)).all()
    assert (plain["sequence"].str.slice(103) == masked["sequence"].str.slice(103)).all()


def test_gc_alone_scores_906_on_the_81_bp_set(made):
    found = made["ecoli-sigma70-81", "grouped"].info["audit"]["gc_alone"]["promoter"]
    assert found["auroc"]["value"] == pytest.approx(0.906, abs=0.001)
    assert found["direction"] == "lower"


@pytest.mark.parametrize("name", ["ecoli-promoters-150", "ecoli-sigma70-81"])
def test_sources_give_the_sequences_back_and_tell_the_demo_region(made, mirror, name):
    genome = one_chromosome(mirror / "genomes/ecoli_k12_mg1655.fna.gz")
    for row in made[name, "grouped"].table.itertuples():
        region = Region.parse(row.source)
        assert decode(genome.extract(region)) == row.sequence
        if overlaps(region, DEMO_REGION, len(genome)):
            assert row.in_demo_region


def test_no_start_in_the_demo_region_can_be_learned_from(made, mirror):
    dataset = made["ecoli-promoters-150", "grouped"]
    inside = {
        f"promoter-{one.name}"
        for one in read_genes(mirror / "genomes/ecoli_k12_mg1655.gff.gz")
        if DEMO_REGION.start <= one.start_site < DEMO_REGION.end
    }
    assert len(inside) == 38
    learned = {row.rsplit("-", 1)[0].rsplit("-", 1)[0] for row in dataset.training("train")["id"]}
    learned |= {row.rsplit("-", 1)[0].rsplit("-", 1)[0] for row in dataset.training("valid")["id"]}
    starts = {int(row.split(":")[1].split("-")[0]) for row in dataset.training()["source"]}
    assert not [start for start in starts if DEMO_REGION.start - 150 < start - 1 < DEMO_REGION.end]
    assert not inside & learned


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(mirror, tmp_path, made):
    again = recipes.make("ecoli-promoters-150", home=tmp_path)
    other = recipes.make("ecoli-promoters-150", home=tmp_path, seed=1)
    first = made["ecoli-promoters-150", "grouped"]
    for name in ("sequences.parquet", "dataset.json"):
        assert (first.folder / name).read_bytes() == (again.folder / name).read_bytes()
    assert other.sha256() != first.sha256()
    assert other.folder.name == "ecoli-promoters-150-seed1"


def test_a_dataset_that_is_there_is_loaded(made, monkeypatch):
    first = made["bsubtilis-promoters-81", "grouped"]
    monkeypatch.setattr(recipes, "build", lambda *_, **__: pytest.fail("made again"))
    again = recipes.make("bsubtilis-promoters-81", home=first.folder.parent.parent)
    assert again.sha256() == first.sha256()
    assert [source["sha256"] for source in again.info["sources"]] == [
        catalog.entry(name).sha256 for name in ("bsubtilis-promoters", "bsubtilis-nonpromoters")
    ]


def test_load_or_make_makes_a_recipe_by_name(home, mirror):
    assert len(recipes.load_or_make("bsubtilis-promoters-81")) == 1373
    assert (home / "datasets/bsubtilis-promoters-81/dataset.json").is_file()
    assert len(Dataset.load("bsubtilis-promoters-81")) == 1373


def test_unknown_recipes_and_splits_are_refused(home):
    with pytest.raises(InputError, match="no recipe 'nonsense'"):
        recipes.make("nonsense")
    with pytest.raises(InputError, match="no split 'temporal'"):
        recipes.make("mouse-tata-251", split="temporal")


def test_the_gene_starts_can_be_made_from_what_ships(home, monkeypatch):
    monkeypatch.delenv("DNALM_DATA_MIRROR", raising=False)
    settings.cache_clear()
    assert len(recipes.make("ecoli-promoters-150-masked")) == 8290


def test_promoters_are_placed_where_the_known_starts_are(mirror):
    genome = one_chromosome(mirror / "genomes/ecoli_k12_mg1655.fna.gz")
    sites = sigma70_sites(read_records(mirror / "promoters/Ecoli_prom.fa.gz"), genome)
    with (mirror / "tss/ecoli_k12_sigma70_tss.tsv").open() as stream:
        known = {
            (int(row["tss"]) - 1, row["strand"], f"{row['name']} {row['promoter_id']}")
            for row in csv.DictReader(stream, delimiter="\t")
        }
    assert {(site.position, site.strand, site.name) for site in sites} == known
    assert len(known) == 839


def test_the_shipped_demo_files_are_what_the_code_writes(mirror, tmp_path):
    write_demo(tmp_path)
    shipped = settings().shipped_data / "demo"
    for path in tmp_path.iterdir():
        assert gunzipped(path) == gunzipped(shipped / path.name)
    (record,) = read_records(shipped / "ecoli_k12_800k_840k.fna.gz")
    assert len(record) == 40_000
    assert len(read_sites(shipped / "gene_starts.tsv")) == 38
    assert [site.name for site in read_sites(shipped / "sigma70_tss.tsv")] == [
        "bioAp",
        "bioBp",
        "uvrBp3",
        "uvrBp2",
        "uvrBp1",
    ]


def gunzipped(path) -> bytes:
    """The content: zlib versions may pack the same text otherwise."""
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def test_load_or_make_makes_any_split_and_seed_by_its_name(home, mirror):
    made = recipes.load_or_make("bsubtilis-promoters-81-random-seed3")
    assert made.name == "bsubtilis-promoters-81-random-seed3"
    assert (made.info["recipe"]["split"], made.info["recipe"]["seed"]) == ("random", 3)
    assert recipes.load_or_make("bsubtilis-promoters-81").sha256() != made.sha256()


def test_a_name_means_a_set_that_is_here_or_can_be_made_and_a_file_does_not(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (home / "datasets" / "mine").mkdir(parents=True)
    (tmp_path / "folder").mkdir()
    (tmp_path / "mouse-tata-251").write_text(">a\nACGT\n")
    meant = {name: recipes.means_set(name) for name in ("mine", "folder", "mouse-tata-251", "none", "a/b")}
    assert meant == {"mine": True, "folder": True, "mouse-tata-251": False, "none": False, "a/b": False}
    assert recipes.means_set("ecoli-promoters-150-masked-random-seed7")
    assert not recipes.means_set("ecoli-promoters-150-random-seed0")  # the same has no number
