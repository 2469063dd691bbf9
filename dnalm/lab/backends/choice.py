"""From a name to a backend."""

from __future__ import annotations

from dnalm.errors import InputError
from dnalm.lab.backends import Backend


def backend_named(name: str) -> Backend:
    """The backend of a name.

    Raises:
        InputError: there is none of that name.
    """
    if name == "local":
        from dnalm.lab.backends.local import LocalBackend

        return LocalBackend()
    if name == "slurm":
        from dnalm.lab.backends.slurm import SlurmBackend

        return SlurmBackend()
    raise InputError(f"backend {name!r}: wanted local or slurm")
