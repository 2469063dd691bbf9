"""A dataset on disk, a dataset from a lab's files, and what the audit finds in sets made by hand."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from dnalm.alphabet import decode, encode, reverse_complement
from dnalm.datasets import Dataset
from dnalm.datasets.audit import audit, leak
from dnalm.datasets.dataset import table_of
from dnalm.datasets.files import from_files, guess_positive
from dnalm.errors import InputError


def random_texts(n: int, length: int = 40, seed: int = 0) -> list[str]:
    generator = np.random.default_rng(seed)
    return [decode(generator.integers(0, 4, length, dtype=np.uint8)) for _ in range(n)]


def small(texts: list[str], given: str, splits: list[str], **info) -> Dataset:
    rows = [
        {"id": f"s{number}", "sequence": text, "label": label, "split": split, "source": "", "in_demo_region": False}
        for number, (text, label, split) in enumerate(zip(texts, given, splits, strict=True))
    ]
    return Dataset(table_of(rows), {"name": "small", **info})


@pytest.fixture
def dataset() -> Dataset:
    return small(random_texts(4), "abab", ["train", "train", "valid", "test"], labels=["a", "b"], positive="b")


def test_saved_and_loaded_it_is_the_same(dataset, tmp_path):
    dataset.save(tmp_path / "set")
    again = Dataset.load(tmp_path / "set")
    pd.testing.assert_frame_equal(again.table, dataset.table, check_dtype=False)
    assert again.labels == ["a", "b"]
    assert again.positive == "b"
    assert again.window == 40
    assert again.counts() == {"a": {"train": 1, "valid": 1, "test": 0}, "b": {"train": 1, "valid": 0, "test": 1}}
    assert again.targets().tolist() == [0, 1, 0, 1]
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == ["dataset.json", "sequences.parquet"]


def test_saved_twice_it_is_the_same_bytes(dataset, tmp_path):
    one, two = dataset.save(tmp_path / "one"), dataset.save(tmp_path / "two")
    for name in ("dataset.json", "sequences.parquet"):
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_it_is_found_by_name_in_the_home(dataset, home):
    dataset.save(home / "datasets" / "mine")
    assert len(Dataset.load("mine")) == 4
    with pytest.raises(InputError, match="no dataset 'other'"):
        Dataset.load("other")


def test_a_changed_table_is_refused(dataset, tmp_path):
    folder = dataset.save(tmp_path / "set")
    dataset.table.assign(label="a").to_parquet(folder / "sequences.parquet")
    with pytest.raises(InputError, match="changed or damaged"):
        Dataset.load(folder)


@pytest.mark.parametrize("content", ["{", "[]", '{"schema": 99}'])
def test_a_damaged_description_is_refused(dataset, tmp_path, content):
    folder = dataset.save(tmp_path / "set")
    (folder / "dataset.json").write_text(content)
    with pytest.raises(InputError, match="set"):
        Dataset.load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns="label"), "no column 'label'"),
        (lambda table: table.assign(split="somewhere"), "split 'somewhere'"),
        (lambda table: table.assign(id="same"), "'same' twice"),
        (lambda table: table.iloc[:0], "no sequence"),
    ],
)
def test_a_table_that_is_no_dataset_is_refused(dataset, change, message):
    with pytest.raises(InputError, match=message):
        Dataset(change(dataset.table), dataset.info)


def test_training_leaves_out_the_demo_region(dataset):
    dataset.table.loc[0, "in_demo_region"] = True
    assert dataset.part("train")["id"].tolist() == ["s0", "s1"]
    assert dataset.training()["id"].tolist() == ["s1"]


def write_table(path, labels, texts, ids=None):
    ids = ids or [f"r{number}" for number in range(len(texts))]
    rows = [f"{one},{text},{label}" for one, text, label in zip(ids, texts, labels, strict=True)]
    path.write_text("id,sequence,label\n" + "\n".join(rows) + "\n")
    return path


def test_a_labs_table_becomes_a_dataset(tmp_path):
    path = write_table(tmp_path / "lab.csv", ["enhancer", "not_enhancer"] * 30, random_texts(60))
    made = from_files(path, name="lab", valid=0.1, test=0.2)
    assert made.labels == ["not_enhancer", "enhancer"]
    assert made.positive == "enhancer"
    assert made.counts()["enhancer"] == {"train": 21, "valid": 3, "test": 6}
    assert made.info["audit"]["shared_stretches"]["test"] == {"shared": 0, "of": 12, "share": 0.0}
    json.dumps(made.info, allow_nan=False)


def test_two_fasta_files_become_a_dataset_and_copies_stay_together(tmp_path):
    texts = random_texts(40)
    copies = [decode(reverse_complement(encode(text))) for text in texts[:10]]
    for name, part in (("yes", texts[:20] + copies), ("no", texts[20:])):
        (tmp_path / f"{name}.fa").write_text("".join(f">x{n}\n{text}\n" for n, text in enumerate(part)))
    made = from_files(tmp_path / "yes.fa", tmp_path / "no.fa", name="two", valid=0.2, test=0.2)
    assert made.positive == "positive"
    assert len(made) == 50
    assert made.info["audit"]["duplicates"]["reverse_complement"] == 10
    assert all(numbers["shared"] == 0 for numbers in leak(made).values())
    assert made.info["groups"]["largest"] == 2


def test_several_classes_have_no_positive_one(tmp_path):
    made = from_files(write_table(tmp_path / "many.csv", ["x", "y", "z"] * 20, random_texts(60)))
    assert made.labels == ["x", "y", "z"]
    assert made.positive is None
    assert set(made.info["audit"]["gc_alone"]) == {"x", "y", "z"}


def test_a_test_file_stays_the_test_part(tmp_path):
    train = write_table(tmp_path / "train.csv", ["0", "1"] * 20, random_texts(40))
    test = write_table(tmp_path / "test.csv", ["1", "0"] * 5, random_texts(10, seed=1))
    made = from_files(train, test_file=test, valid=0.25)
    assert made.counts() == {
        "0": {"train": 15, "valid": 5, "test": 5},
        "1": {"train": 15, "valid": 5, "test": 5},
    }


def test_unusable_files_say_why(tmp_path):
    with pytest.raises(InputError, match="positive label"):
        from_files(write_table(tmp_path / "cats.csv", ["cat", "dog"] * 10, random_texts(20)))
    with pytest.raises(InputError, match="cat"):
        from_files(write_table(tmp_path / "one.csv", ["cat"] * 10, random_texts(10)))
    with pytest.raises(InputError, match="not from 3 files"):
        from_files("a", "b", "c")


@pytest.mark.parametrize(
    ("labels", "positive"),
    [
        (["0", "1"], "1"),
        (["Promoter", "non-promoter"], "Promoter"),
        (["positive", "negative"], "positive"),
        (["coding", "noncoding"], "coding"),
        (["enhancer", "other"], "enhancer"),
        (["Background", "peak"], "peak"),
        (["control", "random"], None),
        (["cat", "dog"], None),
        (["a", "b", "c"], None),
    ],
)
def test_the_positive_label_is_guessed_only_where_its_name_says_it(labels, positive):
    assert guess_positive(labels) == positive


def test_the_audit_counts_copies_and_leaks_worked_out_by_hand():
    one, two, three, four = random_texts(4)
    five = "A" * 10 + one[10:30] + "A" * 10
    texts = [one, one, decode(reverse_complement(encode(two))), two, three, five, four]
    dataset = small(
        texts, "abababa", ["train", "test", "train", "valid", "test", "test", "train"], labels=["a", "b"], positive="b"
    )
    found = audit(dataset)
    assert found["duplicates"] == {
        "exact": 1,
        "reverse_complement": 1,
        "sequences_with_two_labels": 2,
        "sequences_in_two_splits": 2,
    }
    assert found["shared_stretches"]["test"]["shared"] == 2
    assert found["shared_stretches"]["valid"] == {"shared": 1, "of": 1, "share": 1.0}
    assert found["groups"] == {"groups": 4, "singles": 2, "largest": 3}
    assert found["length_alone"] is None
    assert any("share a stretch" in said for said in found["warnings"])
    json.dumps(found, allow_nan=False)


def test_gc_and_length_that_give_the_label_away_are_reported():
    texts = ["GC" * 15 + text for text in random_texts(20)] + ["AT" * 10 + text for text in random_texts(20, seed=2)]
    splits = (["train"] * 14 + ["test"] * 6) * 2
    found = audit(small(texts, "a" * 20 + "b" * 20, splits, labels=["a", "b"], positive="b"))
    assert found["gc_alone"]["b"]["direction"] == "lower"
    assert found["gc_alone"]["b"]["auroc"]["value"] == 1.0
    assert found["gc_alone"]["b"]["test"]["accuracy"]["value"] == 1.0
    assert found["length_alone"]["b"]["auroc"]["value"] == 1.0
    assert found["length"]["a"]["mean"] == 70
    assert len([said for said in found["warnings"] if "alone tells b" in said]) == 2


def test_a_label_that_stays_on_one_side_is_reported():
    texts = random_texts(12)
    rows = ["ACGTTGCAACGGATTCAGCATTGA" + text for text in texts[:6]] + texts[6:]
    dataset = small(rows, "a" * 6 + "b" * 6, ["train"] * 10 + ["valid", "test"], labels=["a", "b"], positive="b")
    (said,) = [said for said in audit(dataset)["warnings"] if "nothing can be measured" in said]
    assert said.startswith("No valid and no test sequence is a, ")


def test_the_start_codon_rule_is_scored():
    codons = ("ATG", "GTG", "CCC", "TTG")
    texts = [text[:100] + codon + text[103:] for text, codon in zip(random_texts(4, 150), codons, strict=True)]
    dataset = small(texts, "bbaa", ["train", "test", "train", "test"], labels=["a", "b"], positive="b")
    assert audit(dataset)["start_codon_rule"]["all"]["accuracy"]["value"] == 0.75
