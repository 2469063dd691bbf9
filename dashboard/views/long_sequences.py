"""Long sequences: where along this sequence does the model see promoters?"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from dashboard import features, resources
from dashboard.charts.drawn import until_drawn
from dashboard.charts.theme import LIGHT, look
from dashboard.charts.track import track_figure
from dashboard.features import Known
from dashboard.links import link
from dashboard.resources import FIRST_PICTURE, TIME_LIMIT, Sequence
from dashboard.state import STRAND_SIGNS, STRANDS, STRIDES, Place, ScanState, read_state
from dashboard.views import scan_parts
from dnalm.errors import DnalmError
from dnalm.model.bundle import Bundle
from dnalm.sequences import Record, Region
from dnalm.tracks import Peak, Track, call_peaks, count_windows

DEFAULT_LENGTH = 40_000
MODEL_HELP = (
    "A model tells apart what it was trained on. ecoli-starts-150 met windows from anywhere in the genome; the other "
    "shipped ones met negatives from inside genes alone, on one strand, and call much else a promoter."
)


@dataclass(frozen=True)
class Choice:
    """What is shown, with every default filled in."""

    state: ScanState
    bundle: Bundle
    sequence: Sequence
    record: Record
    region: Region
    threshold: float
    known: dict[str, Known]
    known_kind: str


def main() -> None:
    """Draw the page."""
    st.title("Where along this sequence does the model see promoters?")
    state, problems = read_state(st.query_params)
    models, sequences = resources.classifiers(), resources.sequences()
    if not models or not sequences:
        _nothing_here(bool(models))
        return
    st.write(
        "The model reads a window around every site of both strands; the picture is the probability that the site "
        "is the start of a promoter. Known starts are red."
    )
    bundle = _chosen(models, state.model, "model", lambda item: item.name, problems)
    sequence = _chosen(sequences, state.sequence, "sequence", lambda item: item.key, problems)
    try:
        records = resources.records(sequence.path)
    except DnalmError as error:
        st.error(str(error), icon=":material/error:")
        return
    region = _region(state, records, bundle, problems)
    known = features.known_starts(sequence)
    kind = state.known if state.known and state.known in known else features.default_known(bundle, known)
    own = bundle.config.threshold
    threshold = state.threshold if state.threshold is not None else (0.5 if own is None else own)
    choice = Choice(state, bundle, sequence, records[region.record], region, threshold, known, kind)
    _controls(choice, models, sequences)
    for problem in problems:
        st.warning(problem, icon=":material/warning:")
    track = _track(choice)
    if track is not None:
        _show(choice, track)


def _nothing_here(has_models: bool) -> None:
    if has_models:
        st.info("There is no sequence to scan yet. Bring your own:", icon=":material/upload:")
        scan_parts.upload()
        return
    st.info(
        "No classifier is here yet, so there is nothing to scan with. Train one, which takes all three phases, "
        "or import a bundle that someone gave you; then reload this page.",
        icon=":material/model_training:",
    )
    st.code("dnalm train --preset small --dataset ecoli-sigma70-81\ndnalm models import BUNDLE_FOLDER", language="bash")


def _chosen(items: list[Any], key: str | None, what: str, name: Callable[[Any], str], problems: list[str]) -> Any:
    """The item that the address names, or the first, saying so."""
    for item in items:
        if name(item) == key:
            return item
    if key is not None:
        problems.append(f"The address asks for the {what} {key}, which is not here; {name(items[0])} is shown.")
    return items[0]


def _region(state: ScanState, records: dict[str, Record], bundle: Bundle, problems: list[str]) -> Region:
    """The region of the address if the sequence has it, else the 40 kb that no shipped model was trained on."""
    wanted = state.region
    if wanted is not None:
        record = records.get(wanted.record)
        if record is None:
            some = ", ".join(list(records)[:3])
            problems.append(f"There is no record {wanted.record} in this sequence; it has {some}.")
        elif wanted.end > len(record) * (2 if record.circular else 1) or len(wanted) > len(record):
            problems.append(f"{wanted} does not lie in {record.id}, which has {len(record):,} bases.")
        elif len(wanted) < 1:
            problems.append(f"{wanted} holds no base.")
        else:
            return wanted
    demo = features.DEMO_REGION
    if demo.record in records and len(records[demo.record]) >= demo.end:
        return demo
    record = max(records.values(), key=len)
    return Region(record.id, 0, min(DEFAULT_LENGTH, len(record)))


def _controls(choice: Choice, models: list[Bundle], sequences: list[Sequence]) -> None:
    """The inputs; each writes its value into the address, from which the page is drawn."""
    state = choice.state
    titles = {item.key: item.title for item in sequences}
    keys, names = list(titles), {key: item.title for key, item in choice.known.items()}
    strides = {"auto": "auto", **{str(n): "base" if n == 1 else f"{n} bases" for n in STRIDES}}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        usable = [item.name for item in models]
        scan_parts.select("Model", "model", usable, choice.bundle.name, width=230, explain=MODEL_HELP)
        clears = ("region", "peak", "known")
        scan_parts.select("Sequence", "sequence", keys, choice.sequence.key, width=260, show=titles.get, clears=clears)
        # A region that could not be used stays in the box, to be put right there.
        scan_parts.text("Region", "region", st.query_params.get("region") or str(choice.region), width=280)
        stride = str(state.stride) if state.stride else "auto"
        scan_parts.select("Score every", "stride", list(strides), stride, width=130, show=strides.get, default="auto")
        scan_parts.select("Strand", "strand", list(STRANDS), state.strand, width=130, show=STRANDS.get, default="both")
        scan_parts.select("Known starts", "known", list(names), choice.known_kind, width=280, show=names.get)
        scan_parts.threshold(choice.threshold, width=230)
    with st.expander("Bring your own sequence", icon=":material/upload:"):
        scan_parts.upload()


def _track(choice: Choice) -> Track | None:
    """The scores: stored ones, or a scan where that takes a page's time; else the sentence that says what to do."""
    region, strand = choice.region, STRAND_SIGNS[choice.state.strand]
    path = choice.sequence.path
    try:
        stored = resources.stored_track(choice.bundle, path, region, choice.state.stride)
        if stored is not None:
            return replace(
                stored,
                forward=None if strand == "-" else stored.forward,
                reverse=None if strand == "+" else stored.reverse,
            )
        with st.spinner("Reading the model"):
            rate = resources.rate(choice.bundle)
        stride = choice.state.stride or _affordable(region, strand, rate)
        windows = count_windows(region.start, region.end, stride, strand)
        if windows / rate > TIME_LIMIT:
            _refuse(choice, stride, windows, windows / rate)
            return None
        with st.spinner(f"Scoring {windows:,} windows, about {windows / rate:.0f} s"):
            return resources.computed_track(choice.bundle, path, region, stride, strand)
    except DnalmError as error:
        st.error(str(error), icon=":material/error:")
        return None


def _affordable(region: Region, strand: str, rate: float) -> int:
    """The finest stride at which the picture comes at once; the widest when none does."""
    for stride in STRIDES:
        if count_windows(region.start, region.end, stride, strand) / rate <= FIRST_PICTURE:
            return stride
    return STRIDES[-1]


def _refuse(choice: Choice, stride: int, windows: int, seconds: float) -> None:
    st.info(
        f"Scoring {windows:,} windows would take about {_duration(seconds)} here, and a page that others share "
        f"works for at most {TIME_LIMIT:.0f} s. Choose a shorter region or a wider stride, or run this command:",
        icon=":material/timer:",
    )
    st.code(command(choice, stride), language="bash")


def command(choice: Choice, stride: int) -> str:
    """The command that does this scan at the shell."""
    # An upload is known to the person by its own name, not by where it is kept here.
    uploaded = choice.sequence.key.startswith("upload-")
    name = choice.sequence.path.name if uploaded else str(choice.sequence.path)
    words = ["dnalm", "scan", choice.bundle.name, name, "--region", str(choice.region).replace(",", "")]
    words += ["--stride", str(stride), "--strand", STRAND_SIGNS[choice.state.strand], "-o", "scan.bedgraph"]
    return " ".join(shlex.quote(word) for word in words)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _show(choice: Choice, track: Track) -> None:
    """The picture, what it shows in words, the site that was clicked, the table behind it."""
    kind = choice.known[choice.known_kind]
    strands = track.strands()
    sites = [site for site in kind.sites if site.strand in strands and site.record == track.record]
    genes = [gene for gene in features.genes(choice.sequence) if gene.record == track.record]
    peaks = call_peaks(track, choice.threshold)
    place = choice.state.peak
    scan_parts.travel(choice.region, len(choice.record))
    figure = track_figure(
        track,
        look(),
        threshold=choice.threshold,
        peaks=peaks,
        sites=sites,
        sites_name=kind.title,
        genes=genes,
        place=place,
    )
    picture = scan_parts.Picture(track, peaks, sites, genes, kind.title, choice.threshold)
    with st.container(key="scan_picture"):
        place_of_image = st.empty()
        if "scan_chart" not in st.session_state and look() is LIGHT:  # the image is drawn on white
            image = until_drawn(picture.draw("png"), "scan_picture", int(figure.layout.height))
            place_of_image.html(image)
        st.plotly_chart(
            figure,
            theme=None,
            key="scan_chart",
            on_select=scan_parts.picked_in_chart,
            selection_mode="points",
            config={"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d"]},
            alt=f"Probability of {track.label} along {choice.region}, {len(peaks)} peaks at or over "
            f"{choice.threshold:.2f}; the table below lists them.",
        )
    st.caption(_resolution(choice, track))
    scan_parts.summary(track, peaks, sites, kind, choice.region)
    scan_parts.downloads(picture)
    if place is None and peaks:
        place = _best(peaks)
    if place is not None:
        starts = features.calls_transcription_starts(choice.bundle)
        scan_parts.reading(choice.record, track, place, choice.bundle.config.anchor, boxes=starts)
        _explain(choice, place)
    scan_parts.table(peaks, sites, kind)
    st.subheader("At the shell")
    st.write("The same scores as a file, from the command line:")
    st.code(command(choice, track.stride), language="bash")


def _explain(choice: Choice, place: Place) -> None:
    """The way to the pages that say why the site was called."""
    site = f"{choice.record.id}:{place.position + 1:,}({place.strand})"
    query = {"model": choice.bundle.name, "source": "genome", "genome": choice.sequence.key, "region": site}
    with st.container(horizontal=True):
        link("saliency", "Which bases does the model read here?", icon=":material/equalizer:", query=query)
        link("mutation", "What would a mutation do here?", icon=":material/edit:", query=query)


def _best(peaks: list[Peak]) -> Place:
    best = max(peaks, key=lambda peak: peak.probability)
    return Place(best.position, best.strand)


def _resolution(choice: Choice, track: Track) -> str:
    step = "every base" if track.stride == 1 else f"one base in {track.stride}"
    windows = f"{track.window} bases"
    words = f"{choice.region}: {step} of each strand scored in a window of {windows}."
    if track.stride > 1 and choice.state.stride is None:
        words += (
            " Not every base, so that the picture comes at once: peaks between scored sites are missed. "
            "Choose a shorter region, or score every base."
        )
    return words + " Drag over the picture to zoom, double-click to see all of it again."


main()
