"""The encoder as an ONNX graph, with what stands still worked out beforehand.

Once weights are fixed, what a k-mer adds to the gates of the first layer is one of 4^k + 2 rows: a table in place of a
matrix product, a fifth of the work at the `small` preset. ONNX's own LSTM operator has no place for such a table, so
the cell is spelt out in a Scan, each gate by itself, since nothing then needs to be cut apart or put together.

In 8 bits a state is rounded to 1/127 (it lies between -1 and 1 by its making, so what a sequence gets does not depend
on its neighbours in the batch) and the weights into a unit's gate to 1/127 of the largest; the table, the gates and the
cell stay in float32. This spares most of the difference that ONNX Runtime's own 8-bit LSTM, which rounds the k-mers'
vectors too, would make.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from dnalm.model.encoder import AWDLSTM

GATES = {"i": "Sigmoid", "f": "Sigmoid", "g": "Tanh", "o": "Sigmoid"}
"""Input, forget, cell and output gate with what bounds each, in the order in which PyTorch stacks their weights."""
_STEPS = 127  # on either side of zero, in 8 bits
_OPSET, _IR = 20, 10
_CONTRIBUTED = "com.microsoft"  # operators of ONNX Runtime's own

Floats = NDArray[np.float32]


@dataclass
class _Cell:
    """Nodes and constants of one step of reading, as they come together."""

    int8: bool
    nodes: list[Any] = field(default_factory=list)
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)

    def node(self, kind: str, inputs: list[str], output: str, **more: Any) -> str:
        """Add an operator with one output; returns its name."""
        self.nodes.append(helper.make_node(kind, inputs, [output], **more))
        return output

    def constant(self, name: str, value: Any, dtype: type = np.float32) -> str:
        """Keep an array; returns its name."""
        self.constants[name] = np.array(value, dtype, order="C")
        return name

    def rounded(self, state: str) -> str:
        """A state as `product` takes it."""
        if not self.int8:
            return state
        step, middle = self.constant("step", 1 / _STEPS), self.constant("middle", _STEPS + 1, np.uint8)
        return self.node("QuantizeLinear", [state, step, middle], f"{state}.8")

    def product(self, state: str, weight: Floats, added: str, name: str) -> str:
        """`state @ weight + added`, of a state that is `rounded`."""
        if not self.int8:
            return self.node("Gemm", [state, self.constant(f"{name}.w", weight), added], name)
        scale = np.maximum(np.abs(weight).max(0), np.finfo(np.float32).tiny) / _STEPS
        inputs = [
            state,
            self.constant(f"{name}.w", np.rint(weight / scale), np.int8),
            "step",
            self.constant(f"{name}.scale", scale),
            "middle",
        ]
        product = self.node("MatMulIntegerToFloat", inputs, f"{name}.product", domain=_CONTRIBUTED)
        return self.node("Add", [product, added], name)


def encoder_graph(encoder: AWDLSTM, *, int8: bool = False) -> bytes:
    """The recurrent part of an encoder as it is in evaluation mode.

    Inputs: `ids`, int64 `(tokens, batch)`, and for layer l its state before the first token, `hl` and `cl`, each
    `(batch, width)`. Outputs: `states`, the last layer's, `(tokens, batch, width)`, and the layers' last states.

    Args:
        encoder: whose weights.
        int8: multiply in 8 bits.

    Returns:
        The serialised model.
    """
    cell, below, names, inside, outside = _Cell(int8), "", [], [], []
    for layer, (_, width) in enumerate(encoder.config.layer_sizes()):
        names += [f"h{layer}", f"c{layer}"]
        inside += [_floats(f"{name}.now", ["batch", width]) for name in names[-2:]]
        outside += [_floats(f"{name}.next", ["batch", width]) for name in names[-2:]]
        below = _add_layer(cell, encoder, layer, below)
    width = encoder.config.output_size
    cell.node("Identity", [below], "state")
    inside.append(helper.make_tensor_value_info("id", TensorProto.INT64, ["batch"]))
    outside.append(_floats("state", ["batch", width]))
    ended = [f"{name}.last" for name in names]
    body = helper.make_graph(cell.nodes, "cell", inside, outside)
    graph = helper.make_graph(
        [helper.make_node("Scan", [*names, "ids"], [*ended, "states"], body=body, num_scan_inputs=1)],
        "encoder",
        [
            helper.make_tensor_value_info("ids", TensorProto.INT64, ["tokens", "batch"]),
            *(_floats(name, ["batch", None]) for name in names),
        ],
        [_floats("states", ["tokens", "batch", width]), *(_floats(name, ["batch", None]) for name in ended)],
        [numpy_helper.from_array(value, name) for name, value in cell.constants.items()],
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_CONTRIBUTED, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR, producer_name="dnalm")
    return model.SerializeToString()


def _add_layer(cell: _Cell, encoder: AWDLSTM, layer: int, below: str) -> str:
    """Add one layer's step, fed by the k-mer or by the layer below; returns the name of its new hidden state."""
    own, gates = f"{layer}.", {}
    lstm = encoder.layers[layer].lstm
    recurrent = _by_gate(lstm.weight_hh_l0)
    bias = lstm.bias_ih_l0 + lstm.bias_hh_l0
    if layer == 0:
        tables = _by_gate((encoder.embedding.weight @ lstm.weight_ih_l0.T + bias).T)
    else:
        inputs, biases, fed = _by_gate(lstm.weight_ih_l0), _by_gate(bias[:, None]), cell.rounded(below)
    state = cell.rounded(f"h{layer}.now")
    for gate, bound in GATES.items():
        if layer == 0:
            table = cell.constant(f"{own}{gate}.table", tables[gate])
            added = cell.node("Gather", [table, "id"], f"{own}{gate}.fed")
        else:
            added = cell.product(
                fed, inputs[gate], cell.constant(f"{own}{gate}.bias", biases[gate][0]), f"{own}{gate}.fed"
            )
        total = cell.product(state, recurrent[gate], added, f"{own}{gate}.total")
        gates[gate] = cell.node(bound, [total], f"{own}{gate}")
    kept = cell.node("Mul", [gates["f"], f"c{layer}.now"], f"{own}kept")
    new = cell.node("Mul", [gates["i"], gates["g"]], f"{own}new")
    memory = cell.node("Add", [kept, new], f"c{layer}.next")
    return cell.node("Mul", [gates["o"], cell.node("Tanh", [memory], f"{own}shown")], f"h{layer}.next")


def _by_gate(weight: Tensor) -> dict[str, Floats]:
    """What PyTorch stacks along the first axis, `(4 width, n)`, a gate each, as `(n, width)`."""
    parts = weight.detach().float().T.chunk(4, dim=1)
    return dict(zip(GATES, (part.numpy() for part in parts), strict=True))


def _floats(name: str, shape: list[Any]) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
