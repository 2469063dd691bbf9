"""The table of tasks: what each is measured on, which rows it shall have, and what is aimed at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from dnalm.evaluation.baselines import ANY_LENGTH
from dnalm.evaluation.networks import RANDOM
from dnalm.evaluation.results.models import RULE
from dnalm.evaluation.several import PLAIN as SEVERAL

FOLDS = 5
LANGUAGE_MODELS = ("ecoli-lm", "bacteria-lm")
"""Of bacteria: in each of their tables, as not yet run where there is no such model."""
HUMAN = ("human-lm",)
"""Of human transcripts: in the tables of mammals' sequences."""
WITHOUT = {"ecoli-unseen-lm": "ecoli-sigma70-81", "ecoli-region-lm": "ecoli-sigma70-tss"}
"""Language models whose text held nothing of a dataset, or of its test part: they stand in its tables and no other."""
GENOME = "ecoli-k12"
HELD_OUT = "last-tenth"
TEXT = "pre-training-text"
FEW = "few-labels"


@dataclass(frozen=True)
class Task:
    """One table.

    Attributes:
        name: of the task, and of its file in data/results.
        title: for people.
        kind: `bits`, `folds`, `test`, `few` (test split, few labels), or `curve` (MCC against bits per base).
        data: dataset or genome.
        splits: how the data are dealt.
        seeds: of folds, of draws, or of training.
        plain: baselines, in the order of the table.
        starts: what dnalm's classifier starts from, besides other language models that are asked for by name.
        finetuned: starts that are fine-tuned on each fold's training sequences as well, before the wide head.
        ensembles: starts whose ensemble of heads is measured too, which takes many times as long as the wide head.
        reference: the baseline that differences are taken to.
        published: key of the table in data/published.yaml.
        labels: sizes of the training part, for `few`.
        aims: values that are aimed at, by split and figure.
        note: said above the table.
        figures: that its table gives.
    """

    name: str
    title: str
    kind: Literal["bits", "folds", "test", "few", "curve"]
    data: str
    splits: tuple[str, ...] = ("test",)
    seeds: tuple[int, ...] = (0, 1, 2)
    plain: tuple[str, ...] = ()
    starts: tuple[str, ...] = (RANDOM, *LANGUAGE_MODELS)
    finetuned: tuple[str, ...] = ()
    ensembles: tuple[str, ...] = ()
    reference: str | None = None
    published: str | None = None
    labels: tuple[int, ...] = ()
    aims: dict[str, dict[str, float]] = field(default_factory=dict)
    note: str = ""
    figures: tuple[str, ...] = ("mcc", "accuracy", "auroc")


@dataclass(frozen=True)
class Row:
    """One row of a table: a model on a split, from so many labels (None: all)."""

    model: str
    split: str
    labels: int | None = None


_PLAIN = (
    "gc_alone",
    "pwm",
    "kmer_logistic",
    "positional_logistic",
    "windowed_logistic",
    "stacked_wam",
    "gradient_boosting",
    "one_layer_cnn",
    "plain_average",
)
_PLAIN_150 = (
    "gc_alone",
    "pwm",
    "kmer_logistic",
    "positional_logistic",
    "gradient_boosting",
    "one_layer_cnn",
    "plain_average",
)
_MASKED = "Bases 100 to 102 are N in both classes, since the start codon there gives most answers away."
_FEW_SIZES = (20, 50, 100, 200, 500, 1000, 3000, 6791)

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task(
            "lm-ecoli",
            "Bits per base on the last 10 % of E. coli K-12",
            "bits",
            GENOME,
            (HELD_OUT,),
            (0,),
            (*(f"markov-{order}" for order in range(1, 13)), "mixture-8", "mixture-10", "mixture-12"),
            aims={HELD_OUT: {"bits_per_base": 1.80}},
            note="Trained or counted on the first 90 %, both strands. Two bits is a random sequence.",
        ),
        Task(
            "ecoli-sigma70-81",
            "E. coli sigma-70 promoters, 81 bp",
            "folds",
            "ecoli-sigma70-81",
            ("grouped", "random"),
            plain=_PLAIN,
            reference="plain_average",
            finetuned=("ecoli-lm",),
            ensembles=("ecoli-lm",),
            published="ecoli-sigma70-81",
            aims={"grouped": {"mcc": 0.87}, "random": {"mcc": 0.88}},
        ),
        Task(
            "bsubtilis-promoters-81",
            "B. subtilis promoters, 81 bp",
            "folds",
            "bsubtilis-promoters-81",
            ("grouped", "random"),
            plain=_PLAIN,
            reference="plain_average",
            finetuned=("bacteria-lm",),
            ensembles=("bacteria-lm",),
            published="bsubtilis-promoters-81",
            aims={"grouped": {"mcc": 0.82}, "random": {"mcc": 0.86}},
        ),
        Task(
            "mouse-tata-251",
            "Mouse TATA promoters, 251 bp",
            "folds",
            "mouse-tata-251",
            ("grouped", "random"),
            plain=_PLAIN,
            starts=(RANDOM, *HUMAN),
            reference="plain_average",
            published="mouse-tata-251",
            aims={"random": {"mcc": 0.93}},
        ),
        Task(
            "human-nontata-251",
            "Human non-TATA promoters, 251 bp",
            "folds",
            "human-nontata-251",
            ("grouped", "random"),
            plain=_PLAIN,
            starts=(RANDOM, *HUMAN),
            reference="plain_average",
            published="human-nontata-promoters",
            aims={"random": {"accuracy": 0.957}},
            note="Folds over the 9,034 sequences that the Genomic Benchmarks hold out: the rest is not to be had here.",
        ),
        Task(
            "human-enhancers-500",
            "Human enhancers, 500 bp",
            "folds",
            "human-enhancers-500",
            ("grouped", "random"),
            plain=tuple(name for name in _PLAIN if name != "pwm"),
            starts=(RANDOM, *HUMAN),
            reference="plain_average",
            published="human-enhancers",
            aims={"random": {"auroc": 0.83, "accuracy": 0.747}},
            note="Folds over the 6,948 sequences that the Genomic Benchmarks hold out: the rest is not to be had here.",
        ),
        Task(
            "eukaryote-starts-1000",
            "Transcript starts of a plant, a worm and a fly, 1,000 bp",
            "folds",
            "eukaryote-starts-1000",
            ("grouped", "random"),
            plain=_PLAIN,
            starts=(RANDOM, *HUMAN),
            reference="plain_average",
            published="human-promoters-long",
            note="Windows around transcript starts against windows from anywhere else: 782 of each.",
        ),
        Task(
            "mrna-lncrna",
            "Human transcripts, coding or not",
            "folds",
            "mrna-lncrna",
            ("grouped", "random"),
            plain=ANY_LENGTH,
            starts=(RANDOM, *HUMAN),
            reference="longest_orf",
            published="mrna-lncrna",
            aims={"random": {"mcc": 0.926}},
            note="Folds over CPAT's independent test set: whole transcripts.",
        ),
        *(
            Task(
                f"16s-{kind}",
                f"Bacterial genera from 16S {kind} reads, 250 bp",
                "folds",
                f"16s-{kind}",
                ("grouped", "random"),
                plain=tuple(SEVERAL),
                starts=(RANDOM, "bacteria-lm"),
                reference="naive_bayes_8",
                published=f"16s-{kind}",
                aims={"random": {"f1": aim}},
                figures=("mcc", "accuracy", "f1"),
                note="100 genera; precision, recall and F1 are means over them. Grouped folds keep the reads of a gene "
                "together, random folds deal reads, as published.",
            )
            for kind, aim in (("amplicon", 0.9306), ("shotgun", 0.8758))
        ),
        Task(
            "ecoli-promoters-150",
            "E. coli gene starts, 150 bp",
            "test",
            "ecoli-promoters-150",
            plain=(RULE, *_PLAIN_150),
            reference="plain_average",
            ensembles=("ecoli-lm",),
            published="ecoli-promoters-150",
            aims={"test": {"accuracy": 0.985}},
        ),
        Task(
            "ecoli-promoters-150-masked",
            "E. coli gene starts, 150 bp, start codon hidden",
            "test",
            "ecoli-promoters-150-masked",
            plain=_PLAIN_150,
            ensembles=("ecoli-lm",),
            reference="plain_average",
            aims={"test": {"accuracy": 0.955}},
            note=_MASKED,
        ),
        *(
            Task(
                f"ecoli-promoters-150{hidden}-random",
                f"E. coli gene starts, 150 bp{', start codon hidden' if hidden else ''}, random split",
                "test",
                f"ecoli-promoters-150{hidden}-random",
                plain=(*(() if hidden else (RULE,)), *_PLAIN_150),
                reference="plain_average",
                note=" ".join(
                    [
                        "The held-out part is drawn at random, so that near copies of it are learnt from: what those "
                        "are worth.",
                        *([_MASKED] if hidden else []),
                    ]
                ),
            )
            for hidden in ("-masked", "")
        ),
        Task(
            "few-labels-150",
            "E. coli gene starts, 150 bp, from few labels",
            "few",
            "ecoli-promoters-150",
            (FEW,),
            (0, 1, 2, 3, 4),
            ("positional_logistic",),
            reference="positional_logistic",
            published="ecoli-promoters-150-few-labels",
            labels=_FEW_SIZES,
        ),
        Task(
            "few-labels-150-masked",
            "E. coli gene starts, 150 bp, start codon hidden, from few labels",
            "few",
            "ecoli-promoters-150-masked",
            (FEW,),
            (0, 1, 2, 3, 4),
            ("positional_logistic",),
            reference="positional_logistic",
            labels=_FEW_SIZES,
            note=_MASKED,
        ),
        Task(
            "mcc-vs-bits",
            "The better the language model, the better the classifier",
            "curve",
            "ecoli-sigma70-81",
            ("grouped",),
            (0,),
            starts=LANGUAGE_MODELS,
        ),
    )
}
