"""What a run is told: the fields of the three phases, the same in Python, in YAML, at the shell and on the forms."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, model_validator

from dnalm.model.config import PRESETS, Checked, EncoderConfig
from dnalm.training.fields import NAME

# On a field, `title` is its name for people where the field's own will not do, and `unit` what its number counts.
Preset = Literal["small", "seed"]
HeadChoice = Literal["pool", "aligned", "wide", "ensemble"]


class ComputeConfig(Checked):
    """Where a run computes."""

    accelerator: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", description="auto takes a GPU where there is one"
    )
    devices: int = Field(
        1, ge=1, le=64, title="GPUs or processes", description="processes, one a GPU; several train together (DDP)"
    )
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = Field(
        "auto", description="auto: bf16 on GPUs that have it, else 32 bits"
    )
    threads: int = Field(0, ge=0, le=256, description="processor threads; 0 leaves PyTorch's own choice")


class OptimizerConfig(Checked):
    """AdamW on a one-cycle schedule (Smith 2018, arXiv:1803.09820)."""

    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] | Literal["find"] = Field(
        4e-3, description="highest rate of the cycle; find: by a range test before the run"
    )
    weight_decay: float = Field(0.01, ge=0, le=1, description="how strongly weights are pulled towards zero (AdamW)")
    clip: float = Field(1.0, gt=0, title="Gradient clip", description="largest norm of the gradient")
    warmup: float = Field(0.1, gt=0, lt=1, title="Warm-up", description="share of the steps on which the rate rises")
    beta2: float = Field(0.99, gt=0, lt=1, description="memory of AdamW's squared gradients")


class RunConfig(Checked):
    """What every phase has."""

    name: str = Field("", max_length=100, pattern=NAME, description="name of the model it makes")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="the same seed gives the same model")
    compute: ComputeConfig = ComputeConfig()
    checkpoint_seconds: float = Field(
        60, ge=0, title="Time between checkpoints", description="least time", json_schema_extra={"unit": "seconds"}
    )


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
        default_factory=list, title="Only units with", description="measure only units whose name holds these texts"
    )
    minutes: float | None = Field(
        None, gt=0, description="begin no unit after so long", json_schema_extra={"unit": "minutes"}
    )
    processes: int = Field(1, ge=1, le=256, title="Side by side", description="units measured at the same time")


CONFIGS: dict[str, type[RunConfig]] = {
    "pretrain": PretrainConfig,
    "finetune": FinetuneConfig,
    "train": TrainConfig,
    "bench": BenchConfig,
}
"""The kinds of configuration by their `phase`."""
AnyRun = PretrainConfig | FinetuneConfig | TrainConfig | BenchConfig
AnyConfig = Annotated[AnyRun, Field(discriminator="phase")]
ANY_CONFIG: TypeAdapter[AnyRun] = TypeAdapter(AnyConfig)
