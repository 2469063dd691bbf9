"""Bits per base of a language model on any sequence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from dnalm.alphabet import UNKNOWN, Codes
from dnalm.errors import InputError
from dnalm.model.encoder import State
from dnalm.model.language_model import AWDLanguageModel
from dnalm.tokenizer import KmerTokenizer

BURN_IN = 2048
"""Bases read before the first that is scored, so that a lane's state knows its surroundings."""
_TOKENS = 256


@torch.no_grad()
def token_nats(
    model: AWDLanguageModel,
    codes: Codes,
    *,
    lanes: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Nats of each predicted token of a text, in order.

    The text is read in lanes side by side; each lane but the first starts `BURN_IN` bases early, and those are not
    counted twice. With one lane the reading is one unbroken pass.

    Args:
        model: in evaluation mode; its device is used.
        codes: base codes, shape `(length,)`.
        lanes: stretches read side by side; fewer are taken where the text is short.
        progress: called with tokens done and to do.

    Returns:
        float32, shape `(count(length) - 1,)`: nan where a token is not scored since its new bases are unknown.

    Raises:
        InputError: the text is too short to predict anything.
    """
    tokenizer = model.tokenizer
    total = tokenizer.count(len(codes)) - 1
    if total < 1:
        raise InputError(
            f"a sequence of {len(codes)} bases is too short: {tokenizer.k + tokenizer.stride} or more are wanted"
        )
    burn = BURN_IN // tokenizer.stride
    lanes = max(1, min(lanes, total // (4 * burn)))
    each = -(-total // lanes)
    starts = [max(0, lane * each - burn) for lane in range(lanes)]
    length = max(min(total, (lane + 1) * each) - start for lane, start in enumerate(starts))
    out = np.full((lanes, length), np.nan, dtype=np.float32)
    state: State | None = None
    device = next(model.parameters()).device
    for first in range(0, length, _TOKENS):
        tokens = min(_TOKENS, length - first)
        batch = torch.from_numpy(_batch(codes, starts, first, tokens, tokenizer)).to(device)
        result = model(batch, state)
        state = result.state
        nats = result.nats.masked_fill(~result.scored, float("nan"))
        out[:, first : first + tokens] = nats.float().cpu().numpy()
        if progress:
            progress(min(first + tokens, length) * lanes, length * lanes)
    pieces = [
        out[lane, lane * each - start : min(total, (lane + 1) * each) - start] for lane, start in enumerate(starts)
    ]
    return np.concatenate(pieces)


def _batch(codes: Codes, starts: list[int], first: int, tokens: int, tokenizer: KmerTokenizer) -> Codes:
    """Bases of tokens `first` to `first + tokens`, and the one after, of each lane; unknown beyond the text."""
    k, stride = tokenizer.k, tokenizer.stride
    out = np.full((len(starts), k + tokens * stride), UNKNOWN, dtype=np.uint8)
    for row, start in zip(out, starts, strict=True):
        at = (start + first) * stride
        piece = codes[at : at + len(row)]
        row[: len(piece)] = piece
    return out


def bits_per_base(model: AWDLanguageModel, nats: NDArray[np.float32]) -> NDArray[np.float64]:
    """Bits a base of each scored token, in order; unscored ones are left out."""
    return nats[~np.isnan(nats)].astype(np.float64) / np.log(2) / model.tokenizer.new_bases
