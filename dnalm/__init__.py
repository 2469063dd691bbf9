"""DNA language models for a biology lab: train, compare, explain, scan.

>>> import dnalm
>>> model = dnalm.load("ecoli-promoters-150")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dnalm.model.predict import load

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    # Importing torch takes seconds: only who asks for a model pays for it.
    if name == "load":
        from dnalm.model.predict import load

        return load
    raise AttributeError(f"module 'dnalm' has no attribute {name!r}")
