"""Commands that ask a model, against one whose answers are known: positive where base 5 of 10 is a T."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from dnalm.cli import app
from dnalm.model.bundle import write_bundle
from dnalm.model.classifier import SequenceClassifier
from dnalm.model.config import BundleConfig, EncoderConfig, MemberConfig, WideHeadConfig
from dnalm.model.language_model import AWDLanguageModel

runner = CliRunner()

YES, NO = 0.982013790, 0.017986210  # sigmoid of +4 and -4
ENCODER = EncoderConfig(k=2, stride=1, embedding=4, hidden=4, layers=1)


@pytest.fixture
def site_model(home: Path) -> str:
    head = WideHeadConfig(length=10, components=1, kmer=0, window_kmers=())
    member = MemberConfig(encoder=ENCODER, head=head, both_strands=False)
    config = BundleConfig(
        kind="classifier",
        name="site",
        members=[member],
        labels=["other", "site"],
        positive="site",
        window=10,
        anchor=4,
        threshold=0.5,
    )
    module = SequenceClassifier([member], 2)
    linear = module.members[0].head.linear
    with torch.no_grad():
        linear.weight.zero_()
        linear.bias.copy_(torch.tensor([0.0, -4.0]))
        linear.weight[1, -4 * 10 + 4 * 4 + 3] = 8.0
    write_bundle(home / "models" / "site", config, module, {"figures": {}}, "# site\n\nA model by hand.\n")
    return "site"


@pytest.fixture
def language_model(home: Path) -> str:
    config = BundleConfig(kind="language-model", name="text", encoder=ENCODER, lm_head="continuation")
    torch.manual_seed(0)
    write_bundle(home / "models" / "text", config, AWDLanguageModel(ENCODER, "continuation"), {}, "# text\n")
    return "text"


@pytest.fixture
def fasta(tmp_path: Path) -> Path:
    path = tmp_path / "seqs.fa"
    path.write_text(">with\nAAAATAAAAA\n>without\nTTTTATTTTT\n>soft\naaaataaaaa\n")
    return path


def run(*arguments: object):
    return runner.invoke(app, [str(argument) for argument in arguments])


def table(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines()]


def test_predict_streams_a_table(site_model: str, fasta: Path):
    result = run("predict", site_model, fasta)
    assert result.exit_code == 0, result.stderr
    assert table(result.stdout) == [
        ["id", "start", "end", "strand", "label", "probability"],
        ["with", "1", "10", "+", "site", "0.982014"],
        ["without", "1", "10", "+", "other", "0.0179862"],
        ["soft", "1", "10", "+", "site", "0.982014"],
    ]
    assert "3 sequences: 2 site, 1 other" in result.stderr


def test_predict_reads_the_other_strand(site_model: str, tmp_path: Path):
    # Base 5 of the reverse complement is the complement of base 6.
    (tmp_path / "one.fa").write_text(">a\nCCCCCACCCC\n")
    result = run("predict", site_model, tmp_path / "one.fa", "--strand", "both")
    assert [row[3:5] for row in table(result.stdout)[1:]] == [["+", "other"], ["-", "site"]]


@pytest.mark.parametrize("suffix", [".tsv", ".jsonl", ".parquet"])
def test_predict_writes_each_format_alike(site_model: str, fasta: Path, tmp_path: Path, suffix: str):
    target = tmp_path / f"calls{suffix}"
    result = run("predict", site_model, fasta, "-o", target, "--all-classes", "--batch-size", 2)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    read = {".tsv": lambda p: pd.read_csv(p, sep="\t"), ".jsonl": lambda p: pd.read_json(p, lines=True)}
    frame = read.get(suffix, pd.read_parquet)(target)
    columns = ["id", "start", "end", "strand", "label", "probability", "p_other", "p_site"]
    assert list(frame.columns) == columns
    assert list(frame["id"]) == ["with", "without", "soft"]
    assert list(frame["p_site"]) == pytest.approx([YES, NO, YES], abs=1e-5)
    assert list(frame["p_site"] + frame["p_other"]) == pytest.approx([1, 1, 1], abs=1e-5)


def test_predict_json_is_one_object(site_model: str, fasta: Path):
    answer = json.loads(run("predict", site_model, fasta, "--json").stdout)
    assert answer["labels"] == {"site": 2, "other": 1}
    assert answer["predictions"][0] == {
        "id": "with", "start": 1, "end": 10, "strand": "+", "label": "site",
        "probability": pytest.approx(YES, abs=1e-6),
    }  # fmt: skip


def test_predict_reads_standard_input(site_model: str, fasta: Path, home: Path):
    command = [sys.executable, "-m", "dnalm", "predict", site_model, "-", "--format", "jsonl"]
    with fasta.open() as stream:
        result = subprocess.run(command, stdin=stream, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert [json.loads(line)["label"] for line in result.stdout.splitlines()] == ["site", "other", "site"]


def test_a_reader_that_stops_early_is_no_traceback(site_model: str, tmp_path: Path, home: Path):
    path = tmp_path / "many.fa"
    path.write_text("".join(f">s{number}\nAAAATAAAAA\n" for number in range(30_000)))
    command = f"{sys.executable} -m dnalm predict {site_model} {path} | head -2"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)
    assert len(result.stdout.splitlines()) == 2
    assert "Traceback" not in result.stderr


def test_a_wrong_length_names_the_record_and_leaves_no_file(site_model: str, tmp_path: Path):
    path = tmp_path / "long.fa"
    path.write_text(">fine\nAAAATAAAAA\n>long\nAAAATAAAAAAAAA\n")
    result = run("predict", site_model, path, "-o", tmp_path / "calls.tsv", "--batch-size", 1)
    assert result.exit_code == 2
    assert "long.fa, record 'long': has 14 bases" in result.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["home", "long.fa"]


def test_repeated_ids_are_refused_unless_allowed(site_model: str, tmp_path: Path):
    path = tmp_path / "twice.fa"
    path.write_text(">a\nAAAATAAAAA\n>a\nAAAAAAAAAA\n")
    assert run("predict", site_model, path).exit_code == 2
    result = run("predict", site_model, path, "--allow-duplicates")
    assert [row[4] for row in table(result.stdout)[1:]] == ["site", "other"]


def test_a_language_model_does_not_predict(language_model: str, fasta: Path):
    result = run("predict", language_model, fasta)
    assert result.exit_code == 2
    assert "a classifier is wanted" in result.stderr


def test_an_unknown_model_is_wrong_input(home: Path, fasta: Path):
    result = run("predict", "no-such-model", fasta)
    assert result.exit_code == 2
    assert "no-such-model" in result.stderr


def test_a_missing_file_is_wrong_input(site_model: str):
    assert run("predict", site_model, "no-such-file.fa").exit_code == 2


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Four of each class, of which one site has no T and one other has one: accuracy 6/8, MCC 0.5."""
    has, lacks = "AAAATAAAAA", "AAAAAAAAAA"
    rows = [(has, "1")] * 3 + [(lacks, "1")] + [(lacks, "0")] * 3 + [(has, "0")]
    path = tmp_path / "labelled.csv"
    path.write_text("sequence,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    return path


def test_evaluate_counts_right(site_model: str, labelled: Path):
    result = run("evaluate", site_model, labelled, "--rename", "1=site", "--rename", "0=other", "--json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["confusion"] == {"labels": ["other", "site"], "matrix": [[3, 1], [1, 3]]}
    assert report["figures"]["accuracy"]["value"] == 0.75
    assert report["figures"]["mcc"]["value"] == pytest.approx(0.5)
    assert set(report["figures"]["mcc"]) == {"value", "low", "high", "n"}
    assert report["figures"]["mcc"]["n"] == 8


def test_evaluate_prints_a_table(site_model: str, labelled: Path):
    result = run("evaluate", site_model, labelled, "--rename", "1=site", "--rename", "0=other")
    rows = {row[0]: row[1:] for row in table(result.stdout)}
    assert rows["figure"] == ["value", "low", "high", "n"]
    assert rows["accuracy"][0] == "0.7500"


def test_evaluate_takes_two_files(site_model: str, tmp_path: Path):
    (tmp_path / "yes.fa").write_text(">a\nAAAATAAAAA\n>b\nAAAATAAAAA\n")
    (tmp_path / "no.fa").write_text(">a\nAAAAAAAAAA\n>b\nAAAATAAAAA\n")
    result = run("evaluate", site_model, tmp_path / "yes.fa", "--negatives", tmp_path / "no.fa", "--json")
    assert json.loads(result.stdout)["confusion"]["matrix"] == [[1, 1], [0, 2]]


def test_evaluate_says_how_to_name_a_strange_label(site_model: str, labelled: Path):
    result = run("evaluate", site_model, labelled)
    assert result.exit_code == 2
    assert "--rename 0=site" in result.stderr


def test_evaluate_measures_a_language_model(language_model: str, tmp_path: Path):
    path = tmp_path / "genome.fa"
    path.write_text(">chr\n" + "ACGTTGCAAC" * 300 + "\n")
    result = run("evaluate", language_model, path, "--region", "chr:1-2,000", "--json")
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)["figures"]
    bits = figures["bits_per_base"]
    # The first k-mer is given; an untrained model knows next to nothing.
    assert bits["n"] == 1998
    assert 1.5 < bits["value"] < 2.6
    assert figures["perplexity"]["value"] == pytest.approx(2 ** bits["value"])


def test_evaluate_refuses_what_does_not_fit_the_model(language_model: str, site_model: str, fasta: Path):
    assert run("evaluate", language_model, fasta, "--threshold", 0.4).exit_code == 2
    assert run("evaluate", site_model, fasta, "--region", "a:1-9").exit_code == 2


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    """Two records of As, with a T at base 21 of the first and an A-to-T at none of the second."""
    path = tmp_path / "genome.fa"
    path.write_text(f">chr\n{'A' * 20}T{'A' * 19}\n>plasmid\n{'A' * 30}\n")
    return path


def test_scan_finds_the_one_site(site_model: str, genome: Path):
    result = run("scan", site_model, genome, "--strand", "+", "--region", "chr:1-40")
    rows = table(result.stdout)
    assert rows[0] == ["record", "position", "strand", "probability"]
    # Windows of 10 with the site at offset 4 fit at positions 4 to 34, counted from 0.
    assert [int(row[1]) for row in rows[1:]] == list(range(4, 35))
    assert [int(row[1]) for row in rows[1:] if float(row[3]) > 0.5] == [20]
    assert "1 peaks" in result.stderr or "1 peak" in result.stderr


def test_scan_reads_every_record(site_model: str, genome: Path, tmp_path: Path):
    result = run("scan", site_model, genome, "--strand", "+", "-o", tmp_path / "all.tsv")
    assert result.exit_code == 0, result.stderr
    frame = pd.read_csv(tmp_path / "all.tsv", sep="\t")
    assert frame.groupby("record").size().to_dict() == {"chr": 31, "plasmid": 21}


def test_scan_reverse_strand_of_as_is_all_sites(site_model: str, genome: Path, tmp_path: Path):
    result = run("scan", site_model, genome, "--strand", "-", "--region", "plasmid:1-30", "-o", tmp_path / "x.parquet")
    assert result.exit_code == 0, result.stderr
    assert (pd.read_parquet(tmp_path / "x.parquet")["probability"] > 0.9).all()


@pytest.mark.parametrize("name", ["scan.bedgraph", "scan.bw", "scan.png", "scan.svg"])
def test_scan_writes_tracks_and_pictures(site_model: str, genome: Path, tmp_path: Path, name: str):
    result = run("scan", site_model, genome, "--strand", "+", "--region", "chr:1-40", "-o", tmp_path / name, "--json")
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["output"] == [str(tmp_path / name)]
    assert answer["records"] == [{"record": "chr", "start": 1, "end": 40, "sites": 40, "window": 10, "calls": 1}]
    assert (tmp_path / name).stat().st_size > 100


def test_scan_counts_known_sites(site_model: str, genome: Path, tmp_path: Path):
    (tmp_path / "sites.bed").write_text("chr\t20\t21\tknown\t0\t+\nchr\t5\t6\tmissed\t0\t+\nplasmid\t3\t4\tx\t0\t+\n")
    result = run(
        "scan", site_model, genome, "--strand", "+", "--region", "chr:1-40", "--sites", tmp_path / "sites.bed",
        "-o", tmp_path / "x.tsv", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, (result.stderr, result.exception)
    found = json.loads(result.stdout)["records"][0]["agreement"]
    assert (found["known"], found["calls"], found["right"]) == (2, 1, 1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--region", "nowhere:1-9"], "has no record nowhere"),
        (["--region", "chr"], "is not a region"),
        (["-o", "x.doc"], "says no format"),
        (["--json"], "--json needs -o"),
        (["--region", "chr:30-60"], "does not lie in chr"),
    ],
)
def test_scan_refuses_with_a_sentence(site_model: str, genome: Path, arguments: list[str], sentence: str):
    result = run("scan", site_model, genome, *arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1


def test_models_are_listed_and_shown(site_model: str, language_model: str):
    listed = json.loads(run("models", "list", "--json").stdout)["models"]
    kinds = {one["name"]: (one["kind"], one["window"]) for one in listed}
    assert kinds["site"] == ("classifier", 10)
    assert kinds["text"] == ("language-model", None)
    assert run("models", "show", "site").stdout == "# site\n\nA model by hand.\n"
    shown = json.loads(run("models", "show", "site", "--json").stdout)
    assert (shown["config"]["labels"], shown["config"]["threshold"]) == (["other", "site"], 0.5)


def test_models_travel(site_model: str, fasta: Path, tmp_path: Path):
    archive = tmp_path / "site.zip"
    assert run("models", "export", "site", "-o", archive).stdout == f"{archive}\n"
    assert run("models", "import", archive).exit_code == 2  # the name is taken
    assert run("models", "import", archive, "--name", "copy").exit_code == 0
    assert run("predict", "copy", fasta).stdout == run("predict", "site", fasta).stdout


def test_a_broken_model_is_wrong_input(site_model: str, home: Path):
    (home / "models" / "site" / "config.json").write_text("{")
    result = run("models", "show", "site")
    assert result.exit_code == 2
    assert "config.json" in result.stderr


def test_data_lists_files_recipes_and_sets(home: Path):
    listed = json.loads(run("data", "list", "--json").stdout)
    names = {entry["name"] for entry in listed["catalog"]}
    assert {"ecoli-k12", "bsubtilis-promoters"} <= names
    assert "ecoli-promoters-150" in listed["recipes"]
    assert listed["datasets"] == []
    assert table(run("data", "list").stdout)[0] == ["what", "name", "title"]


@pytest.mark.parametrize("command", ["fetch", "make", "audit"])
def test_data_refuses_an_unknown_name(home: Path, command: str):
    result = run("data", command, "no-such-thing")
    assert result.exit_code == 2
    assert "no-such-thing" in result.stderr


def test_data_is_fetched_made_and_audited(home: Path, mirror: Path):
    fetched = run("data", "fetch", "bsubtilis-promoters")
    assert fetched.stdout == f"{mirror / 'promoters' / 'Bacillus_prom.fa.gz'}\n"
    made = run("data", "make", "bsubtilis-promoters-81")
    assert made.exit_code == 0, (made.stderr, made.exception)
    assert Path(made.stdout.strip()) == home / "datasets" / "bsubtilis-promoters-81"
    audit = json.loads(run("data", "audit", "bsubtilis-promoters-81", "--json").stdout)
    assert audit["rows"] == 373 + 1000
    assert audit["shared_stretches"]["test"]["shared"] == 0
    assert json.loads(run("data", "list", "--json").stdout)["datasets"] == ["bsubtilis-promoters-81"]
