"""tangermeme's saturation mutagenesis, where it is installed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

FOLDER = "DNALM_TANGERMEME"
HOW_TO_GET_IT = f"""\
tangermeme is not installed, so the rows beside it are left out. To have them, put it in a folder of its own and name
that (what it needs of others is among dnalm's pinned requirements):

    pip install --no-deps --target FOLDER tangermeme==1.6.0
    {FOLDER}=FOLDER python -m benchmarks --only mutating
"""


@cache
def saturation_mutagenesis() -> Callable[..., Any] | None:
    """The function, from where it is installed or from the folder that `DNALM_TANGERMEME` names; else none."""
    folder = os.environ.get(FOLDER)
    if folder and folder not in sys.path:
        sys.path.append(folder)  # at the end: nothing of dnalm's own is shadowed
    try:
        from tangermeme.saturation_mutagenesis import saturation_mutagenesis as found
    except ModuleNotFoundError:
        return None
    return found
