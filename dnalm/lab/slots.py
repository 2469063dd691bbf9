"""What a machine has to compute on: its GPUs, or where there is none a number of CPU slots."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pynvml

from dnalm.errors import RunError
from dnalm.settings import settings

_NO_GPU = (
    pynvml.NVML_ERROR_LIBRARY_NOT_FOUND,
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED,
    pynvml.NVML_ERROR_NO_PERMISSION,
)


@dataclass(frozen=True)
class Slot:
    """One place where one process of a job computes.

    Attributes:
        id: its name in leases, unique on its machine: `gpu0`, `cpu0`.
        kind: gpu or cpu.
        name: what it is, as "NVIDIA H200".
        device: what CUDA_VISIBLE_DEVICES calls it; empty for a CPU slot.
        memory_total: bytes of a GPU; None for a CPU slot.
        memory_used: bytes in use now, by whomever; None for a CPU slot.
    """

    id: str
    kind: Literal["gpu", "cpu"]
    name: str
    device: str = ""
    memory_total: int | None = None
    memory_used: int | None = None


def slots() -> tuple[Slot, ...]:
    """The slots of this machine, with their memory at this moment.

    GPUs that CUDA_VISIBLE_DEVICES leaves out are left out here, too. Where no GPU is left, DNALM_SLOTS says how many
    CPU slots there are (1).

    Raises:
        RunError: there is an NVIDIA driver that does not work: to compute on the CPU unasked would be a silent answer.
    """
    found = _gpus()
    if found:
        return found
    return tuple(Slot(f"cpu{number}", "cpu", "processor") for number in range(settings().slots or 1))


def threads_for(slots: Sequence[Slot]) -> int:
    """Processor threads that each slot's process may take, so that all slots together fit the machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // max(len(slots), 1))


def _gpus() -> tuple[Slot, ...]:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        if error.value in _NO_GPU:
            return ()
        raise RunError(
            f"the NVIDIA driver does not answer ({error}): mend it, or set CUDA_VISIBLE_DEVICES to nothing to use the "
            "processor"
        ) from None
    try:
        found = [slot for number in range(pynvml.nvmlDeviceGetCount()) for slot in _slots_of(number)]
    finally:
        pynvml.nvmlShutdown()
    return tuple(found) if (wanted := os.environ.get("CUDA_VISIBLE_DEVICES")) is None else _visible(found, wanted)


def _slots_of(number: int) -> list[Slot]:
    """A GPU, or the instances that it is divided into (MIG)."""
    card = pynvml.nvmlDeviceGetHandleByIndex(number)
    parts = _parts(card)
    if parts is None:
        return [_slot(f"gpu{number}", card)]
    return [_slot(f"gpu{number}.{place}", part) for place, part in enumerate(parts)]


def _parts(card: Any) -> list[Any] | None:
    """The MIG instances of a GPU; None where it is whole."""
    try:
        if pynvml.nvmlDeviceGetMigMode(card)[0] != pynvml.NVML_DEVICE_MIG_ENABLE:
            return None
    except pynvml.NVMLError:  # a model that cannot be divided
        return None
    parts = []
    for place in range(pynvml.nvmlDeviceGetMaxMigDeviceCount(card)):
        try:
            parts.append(pynvml.nvmlDeviceGetMigDeviceHandleByIndex(card, place))
        except pynvml.NVMLError_NotFound:
            continue
    return parts


def _slot(id_: str, handle: Any) -> Slot:
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    name, device = pynvml.nvmlDeviceGetName(handle), pynvml.nvmlDeviceGetUUID(handle)
    return Slot(id_, "gpu", str(name), str(device), int(memory.total), int(memory.used))


def _visible(found: Sequence[Slot], wanted: str) -> tuple[Slot, ...]:
    """Those that CUDA_VISIBLE_DEVICES names, by number or by (the beginning of) their id.

    As CUDA does, it stops at the first entry that is none.
    """
    chosen = []
    for entry in wanted.split(","):
        entry = entry.strip()
        same = [
            slot
            for number, slot in enumerate(found)
            if (entry.isdigit() and int(entry) == number) or (entry and slot.device.startswith(entry))
        ]
        if len(same) != 1:
            break
        chosen += same
    return tuple(chosen)
