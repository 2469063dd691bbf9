"""A lab's own files: what is left out and why, the names of sets, and the spreads that pictures show."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from dnalm.alphabet import decode, encode, reverse_complement
from dnalm.cli import app
from dnalm.datasets import Dataset
from dnalm.datasets.dataset import table_of
from dnalm.datasets.files import from_files, make_from_files
from dnalm.datasets.intake import COPY, TOO_SHORT, TWO_LABELS, take_in
from dnalm.datasets.profile import profile
from dnalm.errors import InputError


def texts(n: int, length: int = 40, seed: int = 0) -> list[str]:
    generator = np.random.default_rng(seed)
    return [decode(generator.integers(0, 4, length, dtype=np.uint8)) for _ in range(n)]


def reverse(text: str) -> str:
    return decode(reverse_complement(encode(text)))


@pytest.fixture
def messy(tmp_path):
    """Seven usable rows among eight that are not: the counts below are worked out by hand."""
    one, two, three, four, five, six, seven = texts(7)
    rows = [
        ("a", one, "yes"),
        ("b", two, "no"),
        ("a", three, "yes"),  # an id twice, another sequence: kept, numbered
        ("c", "", "yes"),  # no sequence
        ("d", four, ""),  # no label
        ("e", "MKLVVEFPQMKL", "no"),  # protein
        ("f", "ACGT", "no"),  # short
        ("g", reverse(one), "yes"),  # a copy, of the other strand
        ("h", five, "yes"),  # under two labels
        ("i", five, "no"),
        ("a", six, "no"),
        ("j", seven, "no"),
    ]
    path = tmp_path / "messy.csv"
    path.write_text("name,dna,class\n" + "".join(f"{','.join(row)}\n" for row in rows) + "k,ACGTACGTACGT\n")
    return path


def test_what_cannot_be_used_is_left_out_counted_and_explained(messy):
    taken = take_in(messy, drop_unusable=True, drop_copies=True)
    assert [row.id for row in taken.rows] == ["a", "b", "a#2", "a#3", "j"]
    assert taken.read == 13
    assert taken.dropped == {
        "no sequence": 1,
        "no label": 1,
        "a letter that is no nucleotide": 1,
        TOO_SHORT: 1,
        "another number of columns than the first row": 1,
        TWO_LABELS: 2,
        COPY: 1,
    }
    assert "'e', line 7: 'L' is no nucleotide" not in taken.examples["no label"]
    assert "line 7" in taken.examples["a letter that is no nucleotide"]
    assert taken.examples[COPY] == "'g' is a copy of 'a'"
    assert taken.labels() == {"yes": 2, "no": 3}
    assert "2 sequences have an id" in taken.notes()[0]


def test_without_dropping_the_first_bad_row_refuses_the_table(messy):
    with pytest.raises(InputError, match=r"line 4: line 2 has the same id"):
        take_in(messy)


def test_a_table_of_which_nothing_is_left_is_refused(tmp_path):
    path = tmp_path / "empty.csv"
    path.write_text("id,sequence,label\na,MKLVVEFPQMKL,x\nb,,y\n")
    with pytest.raises(InputError, match="none of its 2 rows"):
        take_in(path, drop_unusable=True)
    path.write_text("id,sequence,label\na,ACGT,x\nb,ACG,y\n")
    with pytest.raises(InputError, match=r"none of its 2 sequences can be used \(2: shorter than 10 bases\)"):
        take_in(path, drop_unusable=True)


def test_two_tables_or_a_fasta_without_labels_make_no_set(messy, tmp_path):
    (tmp_path / "one.fa").write_text(">a\nACGTACGTACGT\n")
    with pytest.raises(InputError, match="a table says the labels itself"):
        take_in(tmp_path / "one.fa", messy)
    with pytest.raises(InputError, match="which has no labels"):
        from_files(tmp_path / "one.fa")
    assert take_in(tmp_path / "one.fa").rows[0].label is None


def test_a_set_says_what_was_dropped_and_is_found_by_its_name(home, tmp_path):
    path = tmp_path / "lab.csv"
    rows = [f"{text},{'yes' if number % 2 else 'no'}" for number, text in enumerate(texts(60))]
    path.write_text("sequence,label\n" + "\n".join([*rows, ",yes", rows[0]]) + "\n")
    made = make_from_files("lab", path, drop_unusable=True, drop_copies=True)
    assert made.folder == home / "datasets" / "lab"
    again = Dataset.load("lab")
    assert len(again) == 60
    assert again.info["dropped"] == {"no sequence": 1, COPY: 1}
    # The same again is the same; other rows under the name are refused.
    make_from_files("lab", path, drop_unusable=True, drop_copies=True)
    with pytest.raises(InputError, match="already, with other rows or another split"):
        make_from_files("lab", path, drop_unusable=True, drop_copies=True, seed=1)
    assert Dataset.load("lab").sha256() == made.sha256()


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 65, "a b"])
def test_a_name_that_is_no_folder_is_refused(home, messy, name):
    with pytest.raises(InputError, match="cannot be a dataset's name"):
        make_from_files(name, messy)
    assert not (home / "datasets").exists()


@pytest.mark.parametrize("name", ["ecoli-sigma70-81", "ecoli-sigma70-81-seed3"])
def test_a_recipes_name_is_kept_for_it(home, messy, name):
    with pytest.raises(InputError, match="kept for the sets that the recipe"):
        make_from_files(name, messy)


def test_the_shell_makes_a_set_of_a_table_and_of_two_files(home, tmp_path):
    one, two = texts(40), texts(40, seed=1)
    (tmp_path / "yes.fa").write_text("".join(f">s{n}\n{text}\n" for n, text in enumerate(one)))
    (tmp_path / "no.fa").write_text("".join(f">s{n}\n{text}\n" for n, text in enumerate(two)))
    table = tmp_path / "t.tsv"
    rows = [f"{text}\tcat" for text in one] + [f"{text}\tdog" for text in two] + ["NNEEQQ\tdog"]
    table.write_text("bases\tanimal\n" + "\n".join(rows) + "\n")

    def run(*arguments):
        return CliRunner().invoke(app, ["data", "make", *map(str, arguments)])

    made = run("two", tmp_path / "yes.fa", tmp_path / "no.fa", "--labels", "enhancer,other", "--json")
    assert made.exit_code == 0, made.stderr
    assert json.loads(made.stdout)["positive"] == "enhancer"
    assert run("pets", table, "--positive", "cat").exit_code == 2
    made = run("pets", table, "--positive", "cat", "--label", "animal", "--sequence", "1", "--drop-unusable")
    assert made.exit_code == 0, made.stderr
    assert "left out 1: a letter that is no nucleotide" in made.stderr
    assert Dataset.load("pets").positive == "cat"
    refused = run("bsubtilis-promoters-81", "--positive", "cat")
    assert refused.exit_code == 2
    assert "--positive is for a set of your own files" in refused.stderr


def test_the_profile_counts_gc_and_lengths_by_label_and_what_chance_would_leak():
    shared = texts(1)[0]
    rows = [
        {"id": f"p{n}", "sequence": "GC" * 10 + shared, "label": "b", "split": split, "source": ""}
        for n, split in enumerate(["train"] * 6 + ["test"] * 2)
    ]
    rows += [
        {"id": f"n{n}", "sequence": "AT" * 10 + text, "label": "a", "split": "train", "source": ""}
        for n, text in enumerate(texts(8, 10, seed=3))
    ]
    for row in rows:
        row["in_demo_region"] = False
    found = profile(Dataset(table_of(rows), {"name": "hand", "labels": ["a", "b"], "positive": "b"}))
    assert found.gc.counts["b"].sum() == 8
    assert found.gc.shares()["b"].max() == 1.0
    # Every b shares all its bases with every other: a random split leaks both of its two test rows.
    assert found.random_leak["test"] == {"shared": 2, "of": 2, "share": 1.0}
    assert found.lengths is not None
    assert found.lengths.edges[0] == 30
    assert {label: counts.sum() for label, counts in found.lengths.counts.items()} == {"a": 8, "b": 8}
    table = found.lengths.table("bases")
    assert table["b"].iloc[-1] == 8
    assert list(table.columns[:2]) == ["from (bases)", "to (bases)"]
