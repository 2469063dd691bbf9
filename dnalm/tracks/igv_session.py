"""What a scan shows, as files for the Integrative Genomics Viewer: sequence, scores, calls, known sites, genes.

The files lie in one folder with a session file beside them, which IGV on the desktop opens (File, Open Session) with
everything in place; the session names them by their own names, so that the folder can be moved. The session is
version 8 of IGV's XML, as `org.broad.igv.session` writes it. igv.js reads it too.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np

from dnalm.alphabet import decode
from dnalm.errors import InputError
from dnalm.files import replacing, write_whole
from dnalm.tracks import colours
from dnalm.tracks.export import bigwig_strand
from dnalm.tracks.export_peaks import bed_text, genes_gff3, rgb, sites_bed

if TYPE_CHECKING:
    from dnalm.annotation import Gene, Site
    from dnalm.sequences import Record, Region
    from dnalm.tracks.peaks import Peak
    from dnalm.tracks.scan import Track

SESSION_VERSION = 8
SESSION_FILE = "session.xml"
FASTA_FILE = "genome.fa"
# Letters a line of the FASTA file; a whole number of lines is written at a time.
_LINE = 80
_LINES = 1 << 15
_WORDS = {"+": "forward", "-": "reverse"}


@dataclass(frozen=True)
class Scanned:
    """One model's scan: its track and the peaks called on it."""

    track: Track
    peaks: Sequence[Peak] = ()


@dataclass(frozen=True)
class View:
    """What is shown together.

    Attributes:
        record: the sequence.
        region: the part that is looked at first.
        scans: the models' tracks of this record.
        sites: known start sites.
        sites_name: what they are.
        genes: genes of the record.
    """

    record: Record
    region: Region
    scans: Sequence[Scanned]
    sites: Sequence[Site] = ()
    sites_name: str = "Known starts"
    genes: Sequence[Gene] = ()

    def __post_init__(self) -> None:
        others = {self.region.record, *(scan.track.record for scan in self.scans)} - {self.record.id}
        if others:
            raise InputError(f"a view is of one record, {self.record.id}; these are of {', '.join(sorted(others))}")


@dataclass(frozen=True)
class Shown:
    """One row of the browser: a file and how it is drawn.

    Attributes:
        file: its name.
        name: what the row is called.
        kind: "scores", "peaks", "sites" or "genes".
        colour: such as `#0072B2`.
        height: in pixels.
        content: the file's text, or the track and strand whose scores it holds.
    """

    file: str
    name: str
    kind: str
    colour: str
    height: int
    content: str | tuple[Track, str] = field(repr=False)

    @property
    def mirrored(self) -> bool:
        """Whether its values are drawn downwards: those of the reverse strand."""
        return not isinstance(self.content, str) and self.content[1] == "-"

    def write(self, path: Path, *, decimals: int | None = None) -> None:
        """Write the file; `decimals` as in `bigwig_strand`."""
        if isinstance(self.content, str):
            write_whole(path, self.content)
        else:
            bigwig_strand(*self.content, path, decimals=decimals)

    def digest(self) -> str:
        """SHA-256 of what the file is made of."""
        if isinstance(self.content, str):
            return hashlib.sha256(self.content.encode()).hexdigest()
        track, strand = self.content
        place = (track.record, track.record_length, track.start, track.end, track.stride, strand)
        digest = hashlib.sha256(repr(place).encode())
        digest.update(np.ascontiguousarray(track.strands()[strand]))
        return digest.hexdigest()


def rows(view: View) -> list[Shown]:
    """The rows of a view, from top to bottom; strands without a score and empty lists have none."""
    found: list[Shown] = []
    for number, scan in enumerate(view.scans, start=1):
        # Short names cover little of what is drawn below them; several models have to be told apart.
        several, track = len(view.scans) > 1, scan.track
        prefix, named = (f"{number}.", f"{track.model}, ") if several else ("", "")
        for strand, scores in track.strands().items():
            if not np.all(np.isnan(scores)):
                word, colour = _WORDS[strand], colours.STRANDS[strand]
                name = f"{named}{word} strand" if several else f"{word.capitalize()} strand"
                found.append(Shown(f"{prefix}{word}.bw", name, "scores", colour, 80, (track, strand)))
        if scan.peaks:
            text = bed_text(scan.peaks, track.model)
            found.append(
                Shown(f"{prefix}peaks.bed", f"{named}peaks" if several else "Peaks", "peaks", colours.FORWARD, 30, text)
            )
    sites = [site for site in view.sites if site.record == view.record.id]
    if sites:
        text = sites_bed(sites, view.sites_name)
        found.append(Shown("starts.bed", view.sites_name, "sites", colours.KNOWN, 40, text))
    genes = [gene for gene in view.genes if gene.record == view.record.id]
    if genes:
        text = genes_gff3(genes, lengths={view.record.id: len(view.record)})
        found.append(Shown("genes.gff3", "Genes", "genes", colours.GENE, 70, text))
    return found


def locus(view: View) -> str:
    """The region as browsers write it, `record:first-last`, 1-based; of a wrapped one the part before the origin."""
    end = min(view.region.end, len(view.record))
    return f"{view.record.id}:{view.region.start % len(view.record) + 1}-{end}"


def session_text(view: View, *, genome: str = FASTA_FILE, prefix: str = "") -> str:
    """The session file.

    Args:
        view: what is shown.
        genome: path or address of the FASTA file, which has its `.fai` beside it.
        prefix: what stands before the names of the other files: nothing when they lie beside the session.
    """
    root = ElementTree.Element(
        "Session",
        genome=genome,
        hasGeneTrack="false",
        hasSequenceTrack="true",
        locus=locus(view),
        version=str(SESSION_VERSION),
    )
    resources = ElementTree.SubElement(root, "Resources")
    data = ElementTree.SubElement(root, "Panel", name="DataPanel", height="420", width="1200")
    features = ElementTree.SubElement(root, "Panel", name="FeaturePanel", height="240", width="1200")
    ElementTree.SubElement(
        features, "Track", id="Reference sequence", name="Reference sequence", visible="true", fontSize="10"
    )
    for row in rows(view):
        path = prefix + row.file
        ElementTree.SubElement(resources, "Resource", path=path)
        _track_element(data if row.kind == "scores" else features, path, row)
    ElementTree.SubElement(root, "PanelLayout", dividerFractions="0.6")
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n' + ElementTree.tostring(root, "unicode") + "\n"


def _track_element(panel: ElementTree.Element, path: str, row: Shown) -> None:
    common = {"id": path, "name": row.name, "visible": "true", "fontSize": "10", "height": str(row.height)}
    if row.kind != "peaks":  # their colours are the strands', from the file
        # igv.js reads altColor wherever there is a colour.
        common |= {"color": rgb(row.colour), "altColor": rgb(row.colour)}
    if row.kind != "scores":
        ElementTree.SubElement(panel, "Track", common | {"displayMode": "EXPANDED"})
        return
    drawn = {"autoScale": "false", "renderer": "BAR_CHART", "windowFunction": "max"}
    track = ElementTree.SubElement(panel, "Track", common | drawn)
    ElementTree.SubElement(
        track,
        "DataRange",
        type="LINEAR",
        minimum="0.0",
        baseline="0.0",
        maximum="1.0",
        drawBaseline="true",
        flipAxis="true" if row.mirrored else "false",
    )


def write_session(view: View, folder: str | Path) -> Path:
    """Write a folder that IGV opens: `session.xml`, the sequence with its index, and a file for each row.

    Args:
        view: what is shown.
        folder: must not be there yet; it appears whole or not at all.

    Returns:
        The session file.

    Raises:
        InputError: the folder is there already, or the one that it lies in is not.
    """
    folder = Path(folder)
    if folder.exists():
        raise InputError(f"{folder}: is there already; give a new folder's name")
    if not folder.parent.is_dir():
        raise InputError(f"{folder}: the folder {folder.parent} is not there; make it first")
    building = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        _fill(view, building)
        building.chmod(0o755)
        building.rename(folder)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return folder / SESSION_FILE


def session_zip(view: View, name: str, folder: Path) -> bytes:
    """The folder of `write_session` as a zip archive.

    Args:
        view: what is shown.
        name: of the folder in the archive.
        folder: where the files are made for a moment.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".session-") as building:
        _fill(view, Path(building))
        archive = Path(building) / ".archive"
        with zipfile.ZipFile(archive, "w") as target:
            for path in sorted(Path(building).iterdir()):
                if path != archive:
                    stored = path.suffix == ".bw"  # compressed already
                    kind = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
                    target.write(path, f"{name}/{path.name}", kind, compresslevel=None if stored else 1)
        return archive.read_bytes()


def _fill(view: View, folder: Path) -> None:
    write_fasta(view.record, folder / FASTA_FILE)
    for row in rows(view):
        row.write(folder / row.file)
    write_whole(folder / SESSION_FILE, session_text(view))


def write_fasta(record: Record, path: str | Path) -> None:
    """Write a record as FASTA with its samtools index, `.fai`, beside it: name, bases, offset, bases and bytes a line.

    Bases that are unknown are written as N.
    """
    path, head = Path(path), f">{record.id}\n"
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as text:
        text.write(head)
        for start in range(0, len(record), _LINE * _LINES):
            letters = decode(record.codes[start : start + _LINE * _LINES])
            text.writelines(f"{letters[at : at + _LINE]}\n" for at in range(0, len(letters), _LINE))
    fields = (record.id, len(record), len(head.encode()), _LINE, _LINE + 1)
    write_whole(path.with_name(path.name + ".fai"), "\t".join(map(str, fields)) + "\n")
