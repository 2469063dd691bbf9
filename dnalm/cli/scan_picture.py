"""A scan as a picture: the one output that needs the whole track at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dnalm.tracks import gather
from dnalm.tracks.picture import draw, write_picture
from dnalm.tracks.track import Track
from dnalm.tracks.writer import Writer

if TYPE_CHECKING:
    from dnalm.annotation import Site


class PictureWriter(Writer):
    """Draws the pieces when all are there.

    Args:
        path: the file to write.
        lengths: bases of the record, by its name.
        strands: "+", "-" or both.
        folder: where the half-written file lies.
        known: start sites to draw.
        threshold: drawn as a dashed line.
    """

    def __init__(
        self,
        path: Path,
        lengths: Mapping[str, int],
        strands: Sequence[str],
        folder: Path,
        *,
        known: Sequence[Site],
        threshold: float,
    ) -> None:
        super().__init__(path, lengths, strands, folder)
        self._known, self._threshold = known, threshold
        self._pieces: list[Track] = []

    def add(self, piece: Track) -> None:
        """Take the next piece."""
        self._pieces.append(piece)

    def finish(self) -> list[tuple[Path, Path]]:
        """Draw."""
        track = gather(sorted(self._pieces, key=lambda piece: piece.start))
        figure = draw(track, sites=self._known, threshold=self._threshold)
        return [(write_picture(figure, self.folder / f"picture{self.path.suffix}"), self.path)]
