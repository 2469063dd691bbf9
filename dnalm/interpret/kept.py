"""Answers that outlive a killed process: each is added to one file as it comes, and found there by the next run."""

from __future__ import annotations

import io
import json
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from dnalm.errors import RunError
from dnalm.locks import HeldError, held

_FRAME = struct.Struct("<QQI")  # number of the sequence, bytes, their CRC-32
_SAID = "said.json"


@dataclass(frozen=True, eq=False)
class Answer:
    """What was found of one sequence: arrays, and what is said of it as JSON holds it."""

    arrays: dict[str, np.ndarray]
    said: dict[str, Any]

    def to_bytes(self) -> bytes:
        """As an NPZ file; no pickle."""
        buffer = io.BytesIO()
        said = np.frombuffer(json.dumps(self.said).encode(), dtype=np.uint8)
        np.savez(buffer, **self.arrays, **{_SAID: said})
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Answer:
        """The other way."""
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return cls(arrays, json.loads(arrays.pop(_SAID).tobytes()))


class Store(Protocol):
    """Where answers wait for their turn."""

    def __contains__(self, number: object) -> bool: ...
    def put(self, number: int, answer: bytes) -> None:
        """Add one."""

    def get(self, number: int) -> bytes:
        """One that is there."""


class Passing:
    """A store in memory, which gives each answer once."""

    def __init__(self) -> None:
        self._answers: dict[int, bytes] = {}

    def __contains__(self, number: object) -> bool:
        return number in self._answers

    def put(self, number: int, answer: bytes) -> None:
        """Add one."""
        self._answers[number] = answer

    def get(self, number: int) -> bytes:
        """One that is there, which goes."""
        return self._answers.pop(number)


class Kept:
    """A store in a file: a line of JSON that says of which run, then frames of number, size, checksum and answer.

    Attributes:
        found: answers that were there from an earlier run.
        replaced: whether the file was there, but of another run.
    """

    def __init__(self, stream: BinaryIO, header: Mapping[str, Any]) -> None:
        self._stream = stream
        self._places: dict[int, tuple[int, int]] = {}
        line = json.dumps(header, sort_keys=True).encode() + b"\n"
        there = stream.readline()
        self.replaced = bool(there) and there != line
        end = self._index(len(line)) if there == line else 0
        self.found = len(self._places)
        stream.truncate(end)  # a frame that a kill cut short goes
        stream.seek(end)
        if end == 0:
            stream.write(line)
        stream.flush()

    def _index(self, at: int) -> int:
        """Find the frames that are whole; returns where the last of them ends."""
        while len(head := self._stream.read(_FRAME.size)) == _FRAME.size:
            number, size, checksum = _FRAME.unpack(head)
            at_end = at + _FRAME.size + size
            if at_end > os.fstat(self._stream.fileno()).st_size or zlib.crc32(self._stream.read(size)) != checksum:
                break
            self._places[number] = (at + _FRAME.size, size)
            at = at_end
        return at

    def __contains__(self, number: object) -> bool:
        return number in self._places

    def __len__(self) -> int:
        return len(self._places)

    def put(self, number: int, answer: bytes) -> None:
        """Add one at the end of the file."""
        at = self._stream.seek(0, os.SEEK_END)
        self._stream.write(_FRAME.pack(number, len(answer), zlib.crc32(answer)) + answer)
        self._stream.flush()
        self._places[number] = (at + _FRAME.size, len(answer))

    def get(self, number: int) -> bytes:
        """One that is there."""
        at, size = self._places[number]
        self._stream.seek(at)
        return self._stream.read(size)


@contextmanager
def keeping(path: Path, header: Mapping[str, Any]) -> Iterator[Kept]:
    """A store in the file `path`, which goes when the block ends well and stays when it does not.

    Args:
        path: the file; its folder must be there.
        header: what the answers depend on. Where the file has another, it is begun anew.

    Raises:
        RunError: another process is writing it.
    """
    try:
        with held(path, patience=0), path.open("r+b") as stream:
            kept = Kept(stream, header)
            try:
                yield kept
            except BaseException:
                if not len(kept):  # nothing that a next run could use
                    path.unlink(missing_ok=True)
                raise
            path.unlink(missing_ok=True)
    except HeldError:
        raise RunError(f"{path}: another process is writing it; wait for it, or name another output") from None
