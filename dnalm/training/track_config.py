"""What the training of a model that scans is told."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from dnalm.model.config import TrackMemberConfig
from dnalm.training.run_config import OptimizerConfig, RunConfig


class TrackTrainConfig(RunConfig):
    """A model that scans: every base of a genome's training regions, of both strands, is an example."""

    phase: Literal["track"] = "track"
    genome: str = Field(description="a sequence file, or the name of a genome in the catalogue")
    starts: str = Field(
        title="Known starts", description="a table, GFF3 or BED file of start sites, or its name in the catalogue"
    )
    annotation: str | None = Field(
        None,
        description="GenBank, GFF3 or BED file of the genes, or its name in the catalogue; none: the genome's own",
    )
    model: str | None = Field(
        None, title="Language model", description="its name, or its folder; none: convolutions alone"
    )
    from_scratch: bool = Field(
        False, description="an encoder of random weights that learns along: what pre-training is compared with"
    )
    train: list[str] = Field(
        default_factory=list,
        title="Training regions",
        description="as RECORD:FIRST-LAST, 1-based; none: the first seven tenths of each record",
    )
    valid: list[str] = Field(
        default_factory=list,
        title="Validation regions",
        description="where the threshold is chosen; none: the tenth of each record behind the training region",
    )
    test: list[str] = Field(
        default_factory=list,
        title="Test regions",
        description="where it is measured; none: the last fifth of each record",
    )
    network: TrackMemberConfig = Field(
        TrackMemberConfig(), description="sizes of the convolutions; the encoder is the language model's"
    )
    members: int = Field(1, ge=1, le=16, description="networks trained from different seeds, whose logits are averaged")
    annotation_steps: int = Field(
        300,
        ge=0,
        description="optimizer steps in which each network learns the annotation alone, before the known starts",
    )
    steps: int = Field(200, ge=1, description="optimizer steps of each network on the known starts and the annotation")
    segment: int = Field(
        600, ge=100, le=100_000, description="bases of a training segment", json_schema_extra={"unit": "bases"}
    )
    batch_size: int = Field(16, ge=1, description="segments in a step", json_schema_extra={"unit": "segments"})
    around_starts: float = Field(
        0.5, gt=0, le=1, description="share of the segments that hold a known start; the others lie anywhere"
    )
    spread: float = Field(
        2.0,
        ge=0,
        le=50,
        description="how far a base may lie from a known start and still count, standard deviation of a bell curve",
        json_schema_extra={"unit": "bases"},
    )
    weight_starts: float = Field(10.0, gt=0, description="weight of the loss on starts of promoters")
    weight_genes: float = Field(1.0, ge=0, description="weight of the loss on first bases of genes; 0: not asked")
    weight_frames: float = Field(0.3, ge=0, description="weight of the loss on codon positions; 0: not asked")
    encoder_rate: float = Field(
        0.0, ge=0, le=1, description="factor on the learning rate of the language model; 0 leaves it as it is"
    )
    dropout: float = Field(0.3, ge=0, le=2, description="factor on the encoder's dropout rates where it learns")
    tolerance: int = Field(
        100, ge=0, description="bases within which a call is right", json_schema_extra={"unit": "bases"}
    )
    weights: Literal["float32", "float16"] = Field(
        "float32", title="Weights kept as", description="float16 halves the model's file"
    )
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=4e-3)

    @property
    def stages(self) -> list[tuple[str, int, int]]:
        """What is trained one after the other: name, number of the network, steps."""
        found = []
        for number in range(self.members):
            ahead = self.annotation_steps if self.weight_frames or self.weight_genes else 0
            last = f"-{number + 1}" if self.members > 1 else ""
            found += [(f"annotation{last}", number, ahead)] if ahead else []
            found += [(f"network{last}" if last else "track", number, self.steps)]
        return found

    @model_validator(mode="after")
    def _one_encoder(self) -> TrackTrainConfig:
        if self.model is not None and self.from_scratch:
            raise ValueError("give one of model and from_scratch")
        if self.network.encoder is not None:
            raise ValueError("network.encoder is the language model's: give model instead")
        return self
