"""What pre-training at the published size would cost on a GPU: tokens, operations, hours. `python -m benchmarks.cost`.

No GPU was measured. The hours are arithmetic: the operations of `benchmarks.training.flops_a_token`, over a peak and
the share of it that is reached. On a processor 80 to 81 % of the matrix-multiply peak was measured
(docs/benchmarks.md); a GPU reaches less with batches as small as the recurrence allows, so that is a floor, and a tenth
is given before it.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from benchmarks.training import OWN_HEAD, flops_a_token
from dnalm.model.config import PRESETS

STRANDS = 2
MEASURED_SHARE = 0.8
"""Of the matrix-multiply peak, on a processor."""
CAUTIOUS_SHARE = 0.1
PEAK_TFLOPS = 989.0
"""bf16 without sparsity of an H100 or H200 SXM, by NVIDIA's data sheet."""
TEXTS = {
    "five bacterial genomes": (25e6, 20),
    "human transcripts, 20,000 of each kind": (90e6, 10),
    "the human genome": (3.1e9, 1),
    "the human genome, as often as a small text": (3.1e9, 10),
}
"""Bases, and passes over them."""


@dataclass(frozen=True)
class Cost:
    """What a pre-training takes.

    Attributes:
        tokens: read, both strands.
        operations: floating-point.
    """

    tokens: float
    operations: float

    def hours(self, tflops: float, share: float) -> float:
        """At a share of a peak."""
        return self.operations / (tflops * 1e12 * share) / 3600


def cost(preset: str, bases: float, passes: float) -> Cost:
    """Of a preset with its own head."""
    config = PRESETS[preset]
    own = OWN_HEAD[preset]
    classes = config.tokenizer.vocabulary_size if own == "vocabulary" else config.tokenizer.continuations
    tokens = bases * STRANDS * passes / config.stride
    return Cost(tokens, tokens * flops_a_token(config, classes))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="seed", choices=sorted(PRESETS))
    parser.add_argument("--peak", type=float, default=PEAK_TFLOPS, metavar="TFLOPS", help="of the GPU")
    told = parser.parse_args()
    shares = f"hours at {CAUTIOUS_SHARE:.0%} | hours at {MEASURED_SHARE:.0%}, a floor"
    print(f"| text | passes | tokens | operations | {shares} |")
    print("|---|---|---|---|---|---|")
    for text, (bases, passes) in TEXTS.items():
        found = cost(told.preset, bases, passes)
        hours = [found.hours(told.peak, share) for share in (CAUTIOUS_SHARE, MEASURED_SHARE)]
        sizes = f"{passes} | {found.tokens:.1e} | {found.operations:.1e}"
        print(f"| {text} | {sizes} | {hours[0]:.2g} | {hours[1]:.2g} |")


if __name__ == "__main__":
    main()
