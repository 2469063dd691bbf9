"""fastai's AWD-LSTM, put together from its own modules at our presets' sizes."""

from __future__ import annotations

import os
import sys
from collections import OrderedDict
from functools import cache
from typing import Any

from torch import Tensor, nn

from dnalm.model.config import EncoderConfig

FOLDER = "DNALM_FASTAI"
HOW_TO_GET_IT = f"""\
fastai is not installed, so the rows beside it are left out. To have them, put it in a folder of its own and name that:

    pip install --no-deps --target FOLDER fastai==2.8.12 fastcore fasttransform fastdownload \\
        'plum-dispatch<2.10' beartype fastprogress==1.0.3
    {FOLDER}=FOLDER python -m benchmarks
"""


@cache
def fastai() -> Any | None:
    """The text models of fastai, from where it is installed or from the folder that `DNALM_FASTAI` names; else none."""
    folder = os.environ.get(FOLDER)
    if folder and folder not in sys.path:
        sys.path.append(folder)  # at the end: nothing of dnalm's own is shadowed
    try:
        from fastai.text import models
    except ModuleNotFoundError:
        return None
    return models


def encoder(config: EncoderConfig) -> nn.Module:
    """An AWD_LSTM of fastai with a preset's sizes and dropout rates.

    AWD_LSTM ends in a layer as wide as the embedding. Where ours does not (`small`: one layer of 64 to 256), its own
    parts are put in at our width.
    """
    models = fastai()
    assert models is not None
    parts = models.awdlstm
    tokenizer = config.tokenizer
    model = parts.AWD_LSTM(
        tokenizer.vocabulary_size,
        config.embedding,
        config.hidden,
        config.layers,
        pad_token=tokenizer.pad_id,
        hidden_p=config.hidden_dropout,
        input_p=config.input_dropout,
        embed_p=config.embedding_dropout,
        weight_p=config.weight_dropout,
    )
    if not config.tied:
        model.rnns = nn.ModuleList(
            parts.WeightDropout(nn.LSTM(inputs, width, 1, batch_first=True), config.weight_dropout)
            for inputs, width in config.layer_sizes()
        )
        widths = [width for _, width in config.layer_sizes()]

        def one_hidden(layer: int) -> tuple[Tensor, Tensor]:
            zeros = model.encoder.weight.new_zeros(1, model.bs, widths[layer])
            return zeros, zeros.clone()

        model._one_hidden = one_hidden
        # _change_one_hidden asks for the layer's width in the same way; it is not reached, since `batch` sets the size.
        model.reset()
    return model


def batch(model: nn.Module, size: int) -> None:
    """Tell an AWD_LSTM its batch size, and start from zero states."""
    awd = next(child for child in model.modules() if type(child).__name__ == "AWD_LSTM")
    awd.bs = size
    awd.reset()


def language_model(config: EncoderConfig) -> nn.Module:
    """The encoder and fastai's LinearDecoder over all k-mers, tied where the preset is."""
    models = fastai()
    assert models is not None
    below = encoder(config)
    decoder = models.core.LinearDecoder(
        config.tokenizer.vocabulary_size,
        config.output_size,
        config.output_dropout,
        tie_encoder=below.encoder if config.tied else None,
    )
    return models.core.SequentialRNN(below, decoder)


def classifier(config: EncoderConfig, classes: int, *, bptt: int = 72, width: int = 50) -> nn.Module:
    """SentenceEncoder and PoolingLinearClassifier over the encoder, as fastai's get_text_classifier puts them."""
    models = fastai()
    assert models is not None
    core = models.core
    return core.SequentialRNN(
        OrderedDict(
            reading=core.SentenceEncoder(bptt, encoder(config), pad_idx=config.tokenizer.pad_id, max_len=20 * bptt),
            calling=core.PoolingLinearClassifier([3 * config.output_size, width, classes], [0.4, 0.1], bptt=bptt),
        )
    )
