"""What a model is, in fields that are checked: the encoder, the head, and the bundle that holds them."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dnalm.tokenizer import KmerTokenizer

SCHEMA_VERSION = 1


class Checked(BaseModel):
    """A configuration: unknown fields are errors, so that a misspelt one is not silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EncoderConfig(Checked):
    """An AWD-LSTM over k-mers (Merity et al. 2017, arXiv:1708.02182)."""

    k: int = Field(
        4, ge=1, le=8, title="k-mer length k", description="bases in a k-mer", json_schema_extra={"unit": "bases"}
    )
    stride: int = Field(
        3, ge=1, le=64, description="bases from one k-mer to the next", json_schema_extra={"unit": "bases"}
    )
    embedding: int = Field(64, ge=1, le=4096, description="width of a k-mer's vector")
    hidden: int = Field(256, ge=1, le=8192, description="width of each LSTM layer's state")
    layers: int = Field(1, ge=1, le=8, description="LSTM layers")
    tied: bool = Field(False, description="the last layer is as wide as the embedding, so that a softmax can share it")
    embedding_dropout: float = Field(0.02, ge=0, lt=1, description="share of k-mers whose vector is zeroed")
    input_dropout: float = Field(0.25, ge=0, lt=1, description="variational dropout on the embedded text")
    hidden_dropout: float = Field(0.15, ge=0, lt=1, description="variational dropout between layers")
    weight_dropout: float = Field(0.2, ge=0, lt=1, description="DropConnect on the hidden-to-hidden weights")
    output_dropout: float = Field(0.1, ge=0, lt=1, description="variational dropout before the language-model head")

    @property
    def tokenizer(self) -> KmerTokenizer:
        """The k-mers that the encoder reads."""
        return KmerTokenizer(self.k, self.stride)

    @property
    def output_size(self) -> int:
        """Width of the state at each token."""
        return self.embedding if self.tied else self.hidden

    def layer_sizes(self) -> list[tuple[int, int]]:
        """Input and output width of each LSTM layer."""
        widths = [self.embedding] + [self.hidden] * (self.layers - 1) + [self.output_size]
        return list(pairwise(widths))

    def with_dropout(self, factor: float) -> EncoderConfig:
        """The same encoder with the published dropout rates times `factor`, ULMFiT's `drop_mult`."""
        fields = {name: field for name, field in type(self).model_fields.items() if name.endswith("dropout")}
        return self.model_copy(update={name: min(field.default * factor, 0.95) for name, field in fields.items()})


PRESETS: dict[str, EncoderConfig] = {
    "small": EncoderConfig(),
    "seed": EncoderConfig(k=5, stride=2, embedding=400, hidden=1150, layers=3, tied=True),
}
"""`seed`: the published size (Genomic-ULMFiT, after Merity et al.), for GPUs. `small`: what ships, for two cores."""


class PoolHeadConfig(Checked):
    """ULMFiT's concat pooling (Howard & Ruder 2018, arXiv:1801.06146): last, max and mean state, then a small MLP."""

    kind: Literal["pool"] = "pool"
    width: int = Field(50, ge=1, le=4096, description="width of the hidden layer")
    dropout: float = Field(0.1, ge=0, lt=1)


class AlignedHeadConfig(Checked):
    """For windows of one length around a known point: each position's state is kept in place."""

    kind: Literal["aligned"] = "aligned"
    length: int = Field(ge=1, description="bases of every sequence")
    projection: int = Field(16, ge=1, le=1024, description="numbers kept of each position's state")
    width: int = Field(64, ge=1, le=4096, description="width of the hidden layer")
    dropout: float = Field(0.3, ge=0, lt=1)


class WideHeadConfig(Checked):
    """One regularised logistic regression over frozen states, pools, k-mers and the bases themselves.

    The defaults are those of the first bundles, so that these still load; `dnalm.training.members.WIDE` is what is
    trained now.
    """

    kind: Literal["wide"] = "wide"
    length: int | None = Field(None, ge=1, description="bases of every sequence; none: pools and k-mer counts alone")
    components: int = Field(48, ge=1, le=1024, description="principal components kept of each position's state")
    kmer: int = Field(4, ge=0, le=6, description="longest k-mer counted over the whole sequence; 0 counts none")
    half_word: int = Field(0, ge=0, le=5, description="half the bases of a word looked for anywhere; 0 looks for none")
    window_kmers: tuple[int, ...] = Field((3, 4, 5), description="k-mers looked for within overlapping windows")
    window: int = Field(9, ge=1, description="positions in such a window")
    place_kmers: tuple[int, ...] = Field((), description="k-mers looked for at each position")
    window_step: int = Field(5, ge=1, description="positions from one window's centre to the next's")
    frames: bool = Field(False, description="read the longest open reading frame and its codons")
    gapped_kmers: tuple[tuple[int, int], ...] = Field(
        (), description="pairs of k-mers anywhere, on both strands: k, and how many distances between the two are tried"
    )
    words_of_both_strands: bool = Field(False, description="look for words on the reverse complement too")


HeadConfig = Annotated[PoolHeadConfig | AlignedHeadConfig | WideHeadConfig, Field(discriminator="kind")]


class MemberConfig(Checked):
    """One encoder with one head: a classifier has one of these, an ensemble several."""

    encoder: EncoderConfig
    head: HeadConfig
    both_strands: bool = Field(True, description="the reverse complement is read through the same encoder too")


class TrackMemberConfig(Checked):
    """A model of every base of a stretch, for scanning: see `dnalm.model.track_model`."""

    encoder: EncoderConfig | None = Field(None, description="the language model's; none: the convolutions alone")
    projection: int = Field(24, ge=1, le=1024, description="numbers kept of a state at each base")
    downstream: bool = Field(True, description="read the pass over the other strand too: what lies downstream")
    motifs: int = Field(64, ge=1, le=4096, description="motifs looked for at each base")
    motif_width: int = Field(15, ge=1, le=201, description="bases in a motif; odd", json_schema_extra={"unit": "bases"})
    boxes: bool = Field(True, description="look for -35 and -10 boxes before each base, learned from the known starts")
    channels: int = Field(48, ge=1, le=4096, description="width of the stack of dilated convolutions")
    kernel: int = Field(3, ge=1, le=31, description="places that each of them looks at; odd")
    dilations: tuple[int, ...] = Field((1, 2, 4, 8, 16, 32, 64), description="bases between those places, in turn")
    dropout: float = Field(0.2, ge=0, lt=1)

    @model_validator(mode="after")
    def _odd(self) -> TrackMemberConfig:
        for name in ("motif_width", "kernel"):
            if getattr(self, name) % 2 == 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be odd, so that it has a middle")
        return self


class BundleConfig(Checked):
    """`config.json` of a bundle."""

    schema_version: Literal[1] = SCHEMA_VERSION
    kind: Literal["language-model", "classifier", "track"]
    name: str = Field(min_length=1, max_length=120, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    description: str = ""
    encoder: EncoderConfig | None = Field(None, description="language models")
    lm_head: Literal["continuation", "vocabulary"] | None = Field(None, description="language models")
    members: list[MemberConfig] = Field(default_factory=list, description="classifiers")
    tracks: list[TrackMemberConfig] = Field(default_factory=list, description="track models")
    labels: list[str] = Field(default_factory=list)
    positive: str | None = Field(None, description="the class that a probability speaks of, in binary sets")
    window: int | None = Field(None, ge=1, description="bases of the sequences it was trained on, where of one length")
    anchor: int | None = Field(None, ge=0, description="0-based offset in the window of the site that is called")
    threshold: float | None = Field(None, ge=0, le=1, description="least probability of a positive call")
    modes: list[Literal["window", "stream"]] = Field(default_factory=lambda: ["window"])
    parents: list[str] = Field(default_factory=list, description="the models it came from, with their hashes")
    trained: dict[str, Any] = Field(default_factory=dict, description="command, data, seed, versions")

    @model_validator(mode="after")
    def _kind_has_its_fields(self) -> BundleConfig:
        if self.kind == "language-model" and (self.encoder is None or self.lm_head is None):
            raise ValueError("a language model has the fields encoder and lm_head")
        if self.kind == "classifier" and not self.members:
            raise ValueError("a classifier has at least one entry in members")
        if self.kind == "track" and not (self.tracks and self.positive and self.window and self.anchor is not None):
            raise ValueError("a track model has the fields tracks, positive, window and anchor")
        if self.kind != "language-model":
            if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
                raise ValueError(f"a {self.kind} has at least two labels, all different")
            if self.positive is not None and (self.positive not in self.labels or len(self.labels) != 2):
                raise ValueError("positive is one of exactly two labels")
        return self
