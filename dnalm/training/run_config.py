"""What every run is told: its name, its seed, where it computes and how it optimises."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dnalm.model.config import Checked
from dnalm.training.fields import NAME


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

    @property
    def slots(self) -> int:
        """Slots of the queue that it takes while it runs."""
        return self.compute.devices
