"""Faster inference on a processor: a model whose encoders run in ONNX Runtime, an extra that need not be there.

`onnx` gives the states of PyTorch to 1e-6. `onnx-int8` multiplies in 8 bits: several times as fast, and not the same;
`difference` says by how much, on windows of what is being read. The heads stay in PyTorch, so everything else about a
model stays as it is; attribution, which asks for gradients, keeps going through PyTorch's encoder.
"""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dnalm.errors import InputError
from dnalm.model.doors import kmer_ids
from dnalm.model.encoder import AWDLSTM, State

if TYPE_CHECKING:
    from dnalm.model.predict import Classifier, TrackModel

RUNTIMES = ("torch", "onnx", "onnx-int8")
AnyModel = TypeVar("AnyModel", bound="Classifier | TrackModel")


class OnnxEncoder(nn.Module):
    """Stands where an `AWDLSTM` in evaluation mode stood. Base codes go through ONNX Runtime.

    Threads are as many as PyTorch has when it is made.

    Args:
        encoder: whose weights, as they are now.
        int8: multiply in 8 bits.

    Raises:
        InputError: ONNX Runtime is not installed.
    """

    def __init__(self, encoder: AWDLSTM, *, int8: bool = False) -> None:
        super().__init__()
        self.encoder = encoder
        self.config, self.tokenizer = encoder.config, encoder.tokenizer
        self.session = _session(encoder, int8)
        # After the first k-mer the state is one of as many as there are k-mers: that step is read from a table.
        with torch.inference_mode():
            _, first = encoder(encoder.embedding.weight[:, None])
        self.first = [(hidden[0].contiguous(), cell[0].contiguous()) for hidden, cell in first]

    def embed(self, codes: Tensor) -> Tensor:
        """Number the k-mers of base codes, shape `(batch, length)`: what `forward` wants in place of vectors."""
        return kmer_ids(codes, self.tokenizer)

    def embed_bases(self, bases: Tensor) -> Tensor:
        """See `AWDLSTM.embed_bases`."""
        return self.encoder.embed_bases(bases)

    def forward(self, text: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Read k-mers, or vectors that `embed_bases` gave.

        Args:
            text: ids `(batch, tokens)`, or vectors `(batch, tokens, embedding)`, which PyTorch reads.
            state: where the text before this one ended; none for a fresh start.

        Returns:
            The last layer's states, shape `(batch, tokens, output_size)`, and the state to carry on from.
        """
        if text.is_floating_point():
            return self.encoder(text, state)
        batch, tokens = text.shape
        if batch == 0 or tokens < 2:
            return self.encoder(self.encoder.embedding(text), state)
        out = torch.empty(tokens, batch, self.config.output_size)
        ids = text.T.contiguous()
        if state is not None:
            return out.transpose(0, 1), self._run(ids, [(hidden[0], cell[0]) for hidden, cell in state], out)
        start = [(hidden[ids[0]], cell[ids[0]]) for hidden, cell in self.first]
        out[0] = start[-1][0]
        return out.transpose(0, 1), self._run(ids[1:], start, out[1:])

    def _run(self, ids: Tensor, start: State, out: Tensor) -> State:
        """Read `ids`, shape `(tokens, batch)`, from a state; the states go to `out`."""
        binding = self.session.io_binding()
        kept = []  # what is bound must outlive the run
        for layer, pair in enumerate(start):
            for name, part in zip("hc", pair, strict=True):
                kept.append(part.contiguous())
                _bind(binding.bind_input, f"{name}{layer}", kept[-1], np.float32)
        _bind(binding.bind_input, "ids", ids, np.int64)
        _bind(binding.bind_output, "states", out, np.float32)
        names = [f"{part}{layer}.last" for layer in range(len(start)) for part in "hc"]
        for name in names:
            binding.bind_output(name)
        self.session.run_with_iobinding(binding)
        found = dict(zip(["states", *names], binding.get_outputs(), strict=True))
        ended = [torch.from_numpy(found[name].numpy())[None] for name in names]
        return list(zip(ended[::2], ended[1::2], strict=True))


def _bind(bind: Any, name: str, tensor: Tensor, dtype: type) -> None:
    bind(name, "cpu", 0, dtype, tuple(tensor.shape), tensor.data_ptr())


def _session(encoder: AWDLSTM, int8: bool) -> Any:
    runtime = _installed()
    from dnalm.model.onnx_graph import encoder_graph

    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    # Threads that wait for work must not spin: other people compute here, too.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return runtime.InferenceSession(encoder_graph(encoder, int8=int8), options, providers=["CPUExecutionProvider"])


def _installed() -> ModuleType:
    try:
        import onnx  # noqa: F401
        import onnxruntime
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is not installed, which makes reading faster: pip install 'dnalm[onnx]'"
        ) from None
    return onnxruntime


def accelerated(model: AnyModel, runtime: str = "onnx") -> AnyModel:
    """A model like this one, whose encoders run in ONNX Runtime; this one stays as it is.

    It is for predicting and scanning; explanations ask the model itself.

    Args:
        model: a classifier or a track model, on a processor.
        runtime: one of `RUNTIMES`; with "torch" the model itself is given back.

    Raises:
        InputError: there is no such runtime, it is not installed, or it cannot run this model.
    """
    if runtime not in RUNTIMES:
        raise InputError(f"runtime is {runtime!r}; it must be one of {', '.join(RUNTIMES)}")
    if runtime == "torch":
        return model
    if model.config.kind == "language-model":
        raise InputError(f"{model.name} is a language model; ONNX Runtime runs classifiers and track models")
    if model.device.type != "cpu":
        raise InputError(f"{model.name} is on {model.device}; ONNX Runtime runs models on a processor, device cpu")
    quick = copy.copy(model)
    quick.runtime = runtime
    quick.module = copy.deepcopy(model.module)
    for parent in list(quick.module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, AWDLSTM):
                setattr(parent, name, OnnxEncoder(child, int8=runtime == "onnx-int8"))
    return quick


@dataclass(frozen=True)
class Difference:
    """How far two models' probabilities lie apart.

    Attributes:
        largest: the largest difference of any sequence and class.
        rms: root of the mean square over sequences and classes.
        n: sequences compared.
    """

    largest: float
    rms: float
    n: int

    def as_dict(self) -> dict[str, float | int]:
        """For JSON."""
        return asdict(self)


def difference(exact: Any, quick: Any, windows: NDArray[np.uint8]) -> Difference:
    """Compare what two models say of the same windows, base codes `(n, length)`, n at least 1."""
    apart = np.abs(exact.probabilities(windows).astype(np.float64) - quick.probabilities(windows))
    return Difference(float(apart.max()), float(np.sqrt((apart**2).mean())), len(windows))
