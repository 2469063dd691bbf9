"""How much memory training takes, from the sizes of the model and the batch alone.

The factors were measured as the peak of a process on a CPU (torch 2.13) over embedding, hidden size, layers and both
heads; `tests/unit/test_estimate.py` holds them against a real run.
"""

from __future__ import annotations

from dataclasses import dataclass

from dnalm.model.config import EncoderConfig

PROCESS = 440 << 20
"""Bytes of a process that has loaded what training needs and has no model yet."""
CUDA_CONTEXT = 600 << 20
"""Bytes on a GPU that CUDA and its libraries take for themselves."""
_CUDA_PROCESS = 3 << 30  # main memory of a process that drives a GPU
_FLOAT = 4
_STATES = 6.4  # floats a token that a layer keeps for its gradient, by its width: four gates, state and cell
_LSTM_WORK = 9.8  # floats a token that the gradient of one layer, the widest, takes while it is computed
_EMBEDDED = 3.0  # embedded text, its gradient and the cell's input, by the width of the embedding
_EMBEDDED_WORK = 2.6
_TOKENIZING = 230.0  # floats a token: k-mer numbers are put together with 64 bits a base
_CHECKPOINT = 12  # bytes a parameter that writing a checkpoint copies: weights and two moments


@dataclass(frozen=True)
class Memory:
    """Bytes that training takes, by what for.

    Attributes:
        weights: the model, and its gradients.
        optimizer: AdamW's two moments.
        activations: what lanes and tokens keep for the gradient.
        text: genomes or sequences held in memory.
        checkpoint: the copy made while a checkpoint is written; in main memory.
        process: Python, PyTorch and, on a GPU, CUDA.
        host: main memory that is needed beside a GPU's; 0 where there is no GPU.
    """

    weights: int
    optimizer: int
    activations: int
    text: int
    checkpoint: int
    process: int
    host: int = 0

    @property
    def total(self) -> int:
        """Peak where the model is: of the process on a CPU, of the GPU on one."""
        return self.weights + self.optimizer + self.activations + self.text + self.checkpoint + self.process


def activations(encoder: EncoderConfig, tokens: int, classes: int = 0) -> int:
    """Bytes of the states and gradients of one step.

    Args:
        encoder: its sizes and dropouts.
        tokens: k-mers in the step over all lanes, both strands counted where both are read.
        classes: outputs of a language model's head at each token; 0 for a classifier's encoder.
    """
    widths = [width for _, width in encoder.layer_sizes()]
    dropped = encoder.embedding * (encoder.input_dropout > 0) + sum(widths[:-1]) * (encoder.hidden_dropout > 0)
    dropped += widths[-1] * (encoder.output_dropout > 0 and classes > 0)
    kept = _EMBEDDED * encoder.embedding + _TOKENIZING + _STATES * sum(widths) + dropped + classes
    working = max(_LSTM_WORK * max(widths) + _EMBEDDED_WORK * encoder.embedding, 2 * classes)
    return round(tokens * (kept + working) * _FLOAT)


def to_train(parameters: int, states: int, text: int, *, on_gpu: bool) -> Memory:
    """All that training takes.

    Args:
        parameters: weights in number.
        states: bytes of `activations`.
        text: bytes of text or sequences held.
        on_gpu: whether the model lives on a GPU; text and checkpoint then stay in main memory.
    """
    checkpoint = _CHECKPOINT * parameters
    return Memory(
        weights=2 * _FLOAT * parameters,
        optimizer=2 * _FLOAT * parameters,
        activations=states,
        text=0 if on_gpu else text,
        checkpoint=0 if on_gpu else checkpoint,
        process=CUDA_CONTEXT if on_gpu else PROCESS,
        host=_CUDA_PROCESS + text + 2 * checkpoint if on_gpu else 0,
    )


def disk(parameters: int, *, watched: bool = False) -> int:
    """Bytes that a run folder takes: the old checkpoint beside the new one, and the bundle.

    Args:
        parameters: weights in number.
        watched: whether the best weights so far are kept in the checkpoint too.
    """
    checkpoint = (_CHECKPOINT + (_FLOAT if watched else 0)) * parameters
    return 2 * checkpoint + _FLOAT * parameters + (1 << 20)
