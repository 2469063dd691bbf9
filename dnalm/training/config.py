"""What a run is told: the fields of the three phases, the same in Python, in YAML, at the shell and on the forms."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, TypeAdapter, model_validator

from dnalm.model.config import PRESETS, EncoderConfig
from dnalm.training.run_config import ComputeConfig, OptimizerConfig, RunConfig
from dnalm.training.track_config import TrackTrainConfig

# On a field, `title` is its name for people where the field's own will not do, and `unit` what its number counts.
__all__ = [
    "ANY_CONFIG",
    "CONFIGS",
    "AnyRun",
    "BenchConfig",
    "ComputeConfig",
    "FinetuneConfig",
    "OptimizerConfig",
    "PretrainConfig",
    "RunConfig",
    "ScanConfig",
    "TrackTrainConfig",
    "TrainConfig",
]
Preset = Literal["small", "seed"]
HeadChoice = Literal["pool", "aligned", "wide", "ensemble"]
TRACK_FORMATS = ("bigwig", "bedgraph", "tsv", "parquet")
"""What a scan may write of its track."""


class PretrainConfig(RunConfig):
    """Phase 1: a language model of genomes."""

    phase: Literal["pretrain"] = "pretrain"
    genomes: list[str] = Field(min_length=1, description="sequence files, or names of genomes in the catalogue")
    preset: Preset = Field("small", description="small: two cores; seed: the published size, for GPUs")
    encoder: EncoderConfig | None = Field(None, description="sizes other than the preset's")
    head: Literal["continuation", "vocabulary"] | None = Field(
        None, description="what is predicted: the new bases (small's), or one of all k-mers (seed's)"
    )
    dropout: float | None = Field(
        None, ge=0, le=2, description="factor on the published dropout rates; none: the preset's"
    )
    held_out: float = Field(
        0.1, ge=0, lt=1, title="Held-out share", description="last share of each genome's text that is not trained on"
    )
    held_out_records: list[str] = Field(
        default_factory=list, description="records kept out whole, instead of a share", title="Held-out records"
    )
    exclude: list[str] = Field(default_factory=list, description="regions cut out of the text, as RECORD:START-END")
    exclude_matches: str | None = Field(
        None,
        description="a dataset (name or folder): stretches of 20 bases shared with any of it are cut out",
    )
    both_strands: bool = Field(True, description="read each genome and its reverse complement")
    minutes: float | None = Field(
        None,
        gt=0,
        description="wall-clock budget of the training steps",
        json_schema_extra={"unit": "minutes"},
        title="Budget",
    )
    epochs: float | None = Field(
        None, gt=0, description="passes over the text, instead of minutes", json_schema_extra={"unit": "passes"}
    )
    steps: int | None = Field(None, ge=1, description="optimizer steps, instead of minutes")
    lanes: int = Field(32, ge=1, le=4096, description="stretches of text read side by side")
    tokens: int = Field(
        64,
        ge=2,
        le=4096,
        description="k-mers between two steps (truncated backpropagation)",
        json_schema_extra={"unit": "k-mers"},
    )
    validate_every: int = Field(
        2000, ge=1, description="steps between two looks at held-out text", json_schema_extra={"unit": "steps"}
    )
    activation_penalty: float = Field(0, ge=0, description="AWD-LSTM's alpha: weight of the squared states")
    temporal_penalty: float = Field(0, ge=0, description="AWD-LSTM's beta: weight of the squared change of states")
    optimizer: OptimizerConfig = OptimizerConfig()

    @model_validator(mode="after")
    def _one_budget(self) -> PretrainConfig:
        given = [name for name in ("minutes", "epochs", "steps") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"the budget is given twice, as {' and '.join(given)}; give one")
        if self.held_out_records and self.held_out not in (0, 0.1):
            raise ValueError("give held_out or held_out_records, not both")
        return self

    def resolved_encoder(self) -> EncoderConfig:
        """The sizes: the preset's unless given; `small` trains without dropout, since it underfits any genome."""
        encoder = self.encoder or PRESETS[self.preset]
        if self.dropout is None and self.encoder is not None:
            return encoder
        factor = self.dropout if self.dropout is not None else (0.0 if self.preset == "small" else 1.0)
        return encoder.with_dropout(factor)

    def resolved_head(self) -> Literal["continuation", "vocabulary"]:
        """The head: the one given, else the preset's."""
        return self.head or ("vocabulary" if self.preset == "seed" else "continuation")


class FinetuneConfig(RunConfig):
    """Phase 2: the language model goes on with the task's training text."""

    phase: Literal["finetune"] = "finetune"
    model: str = Field(description="a language model: its name, or its folder")
    dataset: str = Field(description="a labelled set: its name, or its folder; labels are not used")
    dropout: float = Field(0.3, ge=0, le=2, description="factor on the published dropout rates")
    epochs: int = Field(
        3, ge=1, le=1000, description="passes over the training sequences", json_schema_extra={"unit": "passes"}
    )
    batch_size: int = Field(64, ge=1, description="sequences in a step", json_schema_extra={"unit": "sequences"})
    both_strands: bool = Field(True, description="read each sequence and its reverse complement")
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=1e-3)


class TrainConfig(RunConfig):
    """Phase 3, and where asked the two before it: a classifier on the language model's encoder."""

    phase: Literal["train"] = "train"
    dataset: str = Field(description="a labelled set: its name, or its folder")
    model: str | None = Field(None, description="a language model to start from; none: pre-train one first")
    pretrain: PretrainConfig | None = Field(None, description="the pre-training, where no model is given")
    from_scratch: bool = Field(False, description="a random encoder: what pre-training is compared with")
    finetune_epochs: int = Field(
        0,
        ge=0,
        le=1000,
        title="Fine-tuning",
        description="epochs of phase 2; 0 leaves it out",
        json_schema_extra={"unit": "passes"},
    )
    head: HeadChoice = Field(
        "ensemble", description="what tells the labels apart, on top of the language model; docs/heads.md says more"
    )
    both_strands: bool = Field(True, description="read each sequence and its reverse complement, and pool both")
    reverse_complement_augmentation: bool = Field(
        False, description="train on either strand at random: for classes that have no strand"
    )
    dropout: float = Field(0.5, ge=0, le=2, description="factor on the published dropout rates of the encoder")
    epochs_frozen: int = Field(
        2,
        ge=0,
        le=1000,
        title="Each thawing stage",
        description="passes over the set in each stage of gradual unfreezing, as one layer more begins to learn; the "
        "head `wide` has none",
        json_schema_extra={"unit": "passes"},
    )
    epochs: int = Field(
        8,
        ge=0,
        le=1000,
        title="All layers together",
        description="most passes over the set with everything unfrozen; it stops early when validation is no better; "
        "the head `wide` has none",
        json_schema_extra={"unit": "passes"},
    )
    patience: int = Field(
        3,
        ge=1,
        description="epochs without a better validation loss before it stops",
        json_schema_extra={"unit": "passes"},
    )
    batch_size: int = Field(64, ge=2, description="sequences in a step", json_schema_extra={"unit": "sequences"})
    discrimination: float = Field(2.6, ge=1, description="each layer learns this much slower than the one above")
    label_smoothing: float = Field(
        0, ge=0, lt=1, description="share of certainty taken from the labels, some of which may be wrong"
    )
    class_weights: bool = Field(False, description="weigh classes by the inverse of their share")
    train_limit: int | None = Field(
        None,
        ge=2,
        title="Training sequences",
        description="use only so many training sequences (few-label curves)",
        json_schema_extra={"unit": "sequences"},
    )
    threshold_by: Literal["mcc", "accuracy", "f1", "none"] = Field(
        "mcc",
        title="Choose the threshold by",
        description="what the decision threshold maximises on the validation split; none: 0.5",
    )
    weights: Literal["float32", "float16"] = Field(
        "float32",
        title="Weights kept as",
        description="float16 halves the model's file; the figures are those of the rounded weights",
    )
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=3e-3)

    @model_validator(mode="after")
    def _one_start(self) -> TrainConfig:
        given = [self.model is not None, self.pretrain is not None, self.from_scratch]
        if sum(given) > 1:
            raise ValueError("give one of model, pretrain and from_scratch")
        return self


class BenchConfig(RunConfig):
    """No training of its own: all folds and seeds of a benchmark, for the models and plain baselines of its table."""

    phase: Literal["bench"] = "bench"
    task: str = Field(min_length=1, title="Benchmark", description="its name, or a labelled set's")
    models: list[str] = Field(
        default_factory=list,
        title="Language models",
        description="start classifiers from these, too, beside those that ship",
    )
    match: list[str] = Field(
        default_factory=list, title="Only units with", description="measure only units whose name holds one of these"
    )
    since: AwareDatetime | None = Field(
        None, title="Measure again", description="what was measured before then; none: nothing is measured again"
    )
    minutes: float | None = Field(
        None, gt=0, description="begin no unit after so long", json_schema_extra={"unit": "minutes"}
    )
    processes: int | None = Field(
        None,
        ge=1,
        le=256,
        title="Side by side",
        description="units measured at the same time; none: one on each GPU that it has, else one on each core",
    )


class ScanConfig(RunConfig):
    """No training: a model's probability along a genome, or along a region of it, as tracks, peaks and a summary."""

    phase: Literal["scan"] = "scan"
    model: str = Field(min_length=1, description="a classifier or a track model: its name, or its folder")
    sequence: str = Field(
        min_length=1, description="a sequence file, a genome of the catalogue, or a sequence's key in the dashboard"
    )
    region: str = Field("", description="RECORD:FIRST-LAST, counted from 1, or a record's id; empty: every record")
    stride: int = Field(1, ge=1, description="from one scored site to the next", json_schema_extra={"unit": "bases"})
    strand: Literal["both", "+", "-"] = Field("both", description="strands to score")
    mode: Literal["window", "stream"] | None = Field(
        None,
        description="window: each site in a window of its own; stream: one pass along each strand; none: the model's "
        "first",
    )
    window: int | None = Field(
        None, ge=1, description="length of the windows, for models of any length", json_schema_extra={"unit": "bases"}
    )
    label: str | None = Field(None, description="the class to score; none: the positive one")
    threshold: float | None = Field(None, ge=0, le=1, description="least probability of a peak; none: the model's own")
    truth: str | None = Field(
        None, title="Known start sites", description="a table, GFF3 or BED file, or its name in the catalogue"
    )
    formats: list[str] = Field(
        default_factory=lambda: ["bigwig"],
        title="Files of the track",
        description=f"any of {', '.join(TRACK_FORMATS)}; peaks come as BED in any case",
    )
    parts: int = Field(
        1,
        ge=1,
        le=1024,
        title="Side by side",
        description="processes that share the scan, each on a slot of its own; on Slurm an array of as many jobs",
        json_schema_extra={"unit": "parts"},
    )

    @property
    def slots(self) -> int:
        """Slots of the queue that it takes while it runs: one a part."""
        return self.parts

    @model_validator(mode="after")
    def _known_formats(self) -> ScanConfig:
        if unknown := set(self.formats) - set(TRACK_FORMATS):
            raise ValueError(f"formats: {min(unknown)!r} is none of {', '.join(TRACK_FORMATS)}")
        if self.compute.devices > 1:
            raise ValueError("a scan is shared out by `parts`; compute.devices stays 1")
        return self


CONFIGS: dict[str, type[RunConfig]] = {
    "pretrain": PretrainConfig,
    "finetune": FinetuneConfig,
    "train": TrainConfig,
    "track": TrackTrainConfig,
    "bench": BenchConfig,
    "scan": ScanConfig,
}
"""The kinds of configuration by their `phase`."""
AnyRun = PretrainConfig | FinetuneConfig | TrainConfig | TrackTrainConfig | BenchConfig | ScanConfig
AnyConfig = Annotated[AnyRun, Field(discriminator="phase")]
ANY_CONFIG: TypeAdapter[AnyRun] = TypeAdapter(AnyConfig)
