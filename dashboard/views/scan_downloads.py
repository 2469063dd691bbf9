"""What the page Long sequences offers to take away; each file is made when its button is pressed.

download_row("scan", scan_downloads(view, threshold=0.5))
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from dashboard.download_row import Offered
from dnalm.files import picture_bytes
from dnalm.tracks.export import bedgraph_text, bigwig_strand, tsv_text, write_parquet
from dnalm.tracks.export_peaks import bed_text, gff3_text, narrowpeak_text
from dnalm.tracks.igv_session import View, session_zip
from dnalm.tracks.picture import draw

_UNFIT = re.compile(r"[^A-Za-z0-9._+-]+")


def scan_downloads(view: View, *, threshold: float | None = None, chosen: int = 0) -> dict[str, Offered]:
    """All files of a view, by the rest of their buttons' keys, in the order of the buttons.

    Args:
        view: what the page shows.
        threshold: drawn in the picture.
        chosen: which of the models' scans the files hold; the session holds all.
    """
    scan = view.scans[chosen]
    track, peaks, lengths = scan.track, list(scan.peaks), {view.record.id: len(view.record)}
    name = _UNFIT.sub("_", f"{track.model}.{track.record}.{track.start + 1}-{track.end}")

    def picture(kind: str) -> bytes:
        known = {"sites": view.sites, "sites_name": view.sites_name, "genes": view.genes}
        return picture_bytes(draw(track, **known, peaks=peaks, threshold=threshold), kind)

    offered = {
        "png": Offered("PNG", f"{name}.png", lambda: picture("png")),
        "svg": Offered("SVG", f"{name}.svg", lambda: picture("svg")),
        "bedgraph": Offered("bedGraph", f"{name}.bedgraph", lambda: bedgraph_text(track)),
    }
    for strand, word in {"+": "plus", "-": "minus"}.items():
        if strand in track.strands():
            make = _in_folder(lambda folder, strand=strand: bigwig_strand(track, strand, folder / "track.bw"))
            offered[f"bigwig_{word}"] = Offered(f"bigWig {strand.replace('-', '−')}", f"{name}.{word}.bw", make)
    offered["tsv"] = Offered("TSV", f"{name}.tsv", lambda: tsv_text(track))
    parquet = _in_folder(lambda folder: write_parquet(track, folder / "track.parquet")[0])
    offered["parquet"] = Offered("Parquet", f"{name}.parquet", parquet)
    if peaks:
        offered |= {
            "bed": Offered("Peaks, BED", f"{name}.peaks.bed", lambda: bed_text(peaks, track.model)),
            "narrowpeak": Offered(
                "Peaks, narrowPeak", f"{name}.peaks.narrowPeak", lambda: narrowpeak_text(peaks, track.model)
            ),
            "gff3": Offered(
                "Peaks, GFF3", f"{name}.peaks.gff3", lambda: gff3_text(peaks, track.model, lengths=lengths)
            ),
        }
    offered["igv"] = Offered("IGV session", f"{name}.igv.zip", lambda: _session(view, name))
    return offered


def _in_folder(write: Callable[[Path], Path]) -> Callable[[], bytes]:
    """Bytes of a file that can only be written to disk."""

    def make() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            return write(Path(folder)).read_bytes()

    return make


def _session(view: View, name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return session_zip(view, name, Path(folder))
