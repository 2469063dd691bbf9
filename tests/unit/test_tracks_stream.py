"""Stream mode: chunks tile what is scanned, and give the track of one pass over the whole."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_classifier import MotifClassifier
from toy_track import MOTIF, motif_tracks, random_tracks, track_bundle

from dnalm import load
from dnalm.alphabet import UNKNOWN, decode, encode, reverse_complement
from dnalm.errors import InputError
from dnalm.sequences import Record, Region
from dnalm.tracks import gather, scan
from dnalm.tracks.scan import RecordScan, ScanOptions
from dnalm.tracks.stream import AROUND, PIECE_CHUNKS, Grid
from dnalm.tracks.windows import context

LENGTHS = st.integers(1, 5000)
STEPS = st.integers(1, 7)
SIZES = st.integers(1, 400)


def random_record(length: int, *, circular: bool = False, seed: int = 0) -> Record:
    return Record("r", np.random.default_rng(seed).integers(0, 4, length).astype(np.uint8), circular=circular)


@pytest.fixture(scope="module")
def motif(tmp_path_factory):
    return load(track_bundle(tmp_path_factory.mktemp("models") / "motif", motif_tracks()).folder)


@pytest.fixture(scope="module")
def recurrent(tmp_path_factory):
    """Its scores spread over 0 to 1 and rest on the encoder's states: what is forgotten shows."""
    model = load(track_bundle(tmp_path_factory.mktemp("models") / "recurrent", random_tracks()).folder)
    member = model.module.members[0]
    member.leave.bias.zero_()
    for layer in (member.leave, member.upstream.project, member.downstream.project):
        layer.weight.mul_(20)
    return model


class Positions:
    """A track model whose score at a base is the base's own code along the strand: what went where can be seen.

    Bases beyond a record's end, and unknown ones, score 1.
    """

    name = "positions"
    burn_in, step = 12, 3

    def __init__(self) -> None:
        self.config = MotifClassifier(window=21, anchor=10).config
        self.config.modes = ["stream", "window"]
        self.read: list[tuple[int, int]] = []

    def probabilities_along(self, codes):
        assert codes.shape[1] % self.step == 0
        self.read.append(codes.shape)
        ahead = codes.astype(np.float32) / UNKNOWN
        back = np.where(codes == UNKNOWN, UNKNOWN, 3 - codes.clip(max=3)).astype(np.float32) / UNKNOWN
        return ahead, back


class Without:
    """A model that asks for less context than it needs."""

    def __init__(self, model, burn_in):
        self.model, self.burn_in = model, burn_in

    def __getattr__(self, name):
        return getattr(self.model, name)


def one_pass(model, record):
    """Both strands of a record read whole, with the context that a circle or a linear record has."""
    lead = -(-model.burn_in // model.step) * model.step
    end = -(-len(record) // model.step) * model.step
    codes = context(record, -lead, end + lead)
    ahead, back = model.probabilities_along(codes[None])
    return ahead[0, lead : lead + len(record)], back[0, lead : lead + len(record)]


def rms(one, other):
    return float(np.sqrt(np.mean((np.asarray(one, np.float64) - other) ** 2)))


@given(length=LENGTHS, step=STEPS, size=SIZES)
def test_chunks_tile_the_record_in_steps_and_mirrored(length, step, size):
    grid = Grid.of(length, step, size)
    chunks = [grid.chunk(index) for index in range(len(grid))]
    assert chunks[0][0] == 0
    assert length <= chunks[-1][1] < length + step
    assert all(one[1] == other[0] for one, other in itertools.pairwise(chunks))
    assert all(start % step == 0 and start < end for start, end in chunks)
    sizes = [end - start for start, end in chunks]
    middle = sizes.pop(len(sizes) // 2)
    assert set(sizes) <= {grid.size}
    assert 0 < middle <= 2 * grid.size
    assert [grid.end - end for _, end in reversed(chunks)] == [start for start, _ in chunks]


@given(length=LENGTHS, step=STEPS, size=SIZES, data=st.data())
def test_the_chunk_of_a_base_holds_it_and_groups_tile_any_stretch(length, step, size, data):
    grid = Grid.of(length, step, size)
    at = data.draw(st.integers(0, length - 1))
    start, end = grid.chunk(grid.index(at))
    assert start <= at < end
    low = data.draw(st.integers(0, length - 1))
    high = data.draw(st.integers(low + 1, length))
    groups = list(grid.groups(low, high, 3))
    assert (groups[0][0], groups[-1][1]) == (low, high)
    assert all(one[1] == other[0] for one, other in itertools.pairwise(groups))
    assert all(1 <= grid.index(end - 1) - grid.index(start) + 1 <= 3 for start, end in groups)


@settings(max_examples=150, deadline=None)
@given(
    length=st.integers(41, 900),
    stride=st.integers(1, 90),
    chunk=st.integers(1, 120),
    circular=st.booleans(),
    data=st.data(),
)
def test_every_site_of_a_region_is_scored_once_whatever_the_chunks(length, stride, chunk, circular, data):
    record = random_record(length, circular=circular)
    start = data.draw(st.integers(0, length - 1))
    end = data.draw(st.integers(start + 1, start + length if circular else length))
    model = Positions()
    pieces = list(scan(model, record, region=Region("r", start, end), stride=stride, chunk=chunk))
    track = gather(pieces)
    assert track.positions.tolist() == list(range(start, end, stride))
    assert (track.start, track.end, track.mode) == (start, end, "stream")
    assert [piece.end for piece in pieces[:-1]] == [piece.start for piece in pieces[1:]]
    assert all(piece.start // length == piece.positions[-1] // length for piece in pieces)
    np.testing.assert_array_equal(track.forward, record.codes[track.wrapped] / np.float32(UNKNOWN))
    np.testing.assert_array_equal(track.reverse, (3 - record.codes[track.wrapped]) / np.float32(UNKNOWN))


def test_a_motif_is_found_on_both_strands_over_the_origin_and_across_chunks(motif):
    text = list("C" * 600)
    for place in (95, 297, 400):
        text[place : place + len(MOTIF)] = MOTIF
    back = decode(reverse_complement(encode(MOTIF)))
    text[500 : 500 + len(back)] = back
    rotated = "".join(text[402:] + text[:402])  # the motif at 400 now runs over the origin
    track = gather(scan(motif, Record("r", encode(rotated), circular=True), chunk=100))
    assert np.flatnonzero(track.forward > 0.5).tolist() == sorted((place - 402) % 600 for place in (95, 297, 400))
    assert np.flatnonzero(track.reverse > 0.5).tolist() == [(505 - 402) % 600]
    linear = gather(scan(motif, Record("r", encode(rotated)), chunk=100))
    assert np.flatnonzero(linear.forward > 0.5).tolist() == sorted((place - 402) % 600 for place in (95, 297))


@pytest.mark.parametrize("circular", [False, True])
@pytest.mark.parametrize("length", [1, 7, 3000, 3001])
def test_chunks_give_exactly_the_track_of_one_pass_where_little_is_looked_at(motif, length, circular):
    record = random_record(length, circular=circular)
    ahead, back = one_pass(motif, record)
    track = gather(scan(motif, record, chunk=64))
    np.testing.assert_array_equal(track.forward, ahead)
    np.testing.assert_array_equal(track.reverse, back)


@pytest.mark.parametrize("circular", [False, True])
def test_chunks_give_the_track_of_one_pass_within_the_burn_in(recurrent, circular):
    record = random_record(9_001, circular=circular)
    ahead, back = one_pass(recurrent, record)
    assert np.std(ahead) > 0.2
    tracks = [gather(scan(recurrent, record, chunk=chunk)) for chunk in (300, 1000, 3333)]
    for track in tracks:
        assert rms(track.forward, ahead) < 0.003
        assert rms(track.reverse, back) < 0.003
    assert rms(tracks[0].forward, tracks[2].forward) < 0.003
    less = Without(recurrent, burn_in=30)
    assert rms(gather(scan(less, record, chunk=300)).forward, ahead) > 0.01


def test_a_region_has_the_scores_of_the_whole_record(recurrent):
    record = random_record(5_000, circular=True)
    whole = gather(scan(recurrent, record, chunk=500))
    for start, end, stride in [(1203, 3307, 1), (4711, 5402, 1), (5005, 5100, 1), (7, 4900, 13), (33, 34, 1)]:
        part = gather(scan(recurrent, record, region=Region("r", start, end), stride=stride, chunk=500))
        np.testing.assert_allclose(part.forward, whole.forward[part.wrapped], atol=1e-6)
        np.testing.assert_allclose(part.reverse, whole.reverse[part.wrapped], atol=1e-6)


@pytest.mark.parametrize(("kind", "length"), [("recurrent", 6_000), ("motif", 6_000), ("motif", 6_001)])
def test_the_reverse_complement_gives_the_mirrored_track(kind, length, request):
    """With an encoder, where the length is a multiple of the step: else the other strand shows other k-mers."""
    model = request.getfixturevalue(kind)
    record = random_record(length, seed=3)
    one = gather(scan(model, record, chunk=700))
    other = gather(scan(model, Record("r", reverse_complement(record.codes)), chunk=700))
    np.testing.assert_allclose(one.forward, other.reverse[::-1], atol=1e-6)
    np.testing.assert_allclose(one.reverse, other.forward[::-1], atol=1e-6)


def test_sites_among_unknown_bases_have_no_score_and_are_not_read():
    codes = random_record(12_000).codes.copy()
    codes[3_000:9_000] = UNKNOWN
    model = Positions()
    track = gather(scan(model, Record("r", codes), chunk=600))
    # Of the 81 bases around the run's first and last site 41 are unknown, of its neighbours' 40.
    np.testing.assert_array_equal(np.isnan(track.forward), codes == UNKNOWN)
    np.testing.assert_array_equal(np.isnan(track.reverse), codes == UNKNOWN)
    assert 2 * AROUND + 1 == 81
    assert sum(rows for rows, _ in model.read) < 12  # of 19 chunks


def test_both_ends_of_a_linear_record_are_scored_and_beyond_them_nothing_is_known():
    model = Positions()
    model.probabilities_along = lambda codes: (codes[:, [0] * codes.shape[1]] / np.float32(UNKNOWN),) * 2
    linear = gather(scan(model, random_record(50)))
    assert (linear.forward == 1).all()  # the first base read lies before the record
    circular = gather(scan(model, random_record(50, circular=True)))
    assert (circular.forward == random_record(50).codes[50 - 12] / UNKNOWN).all()


def test_memory_is_bounded_by_the_batch_and_progress_counts_each_score_once():
    model, seen = Positions(), []
    record = random_record(400_000)
    for piece in scan(model, record, stride=7, progress=lambda done, total: seen.append((done, total))):
        assert len(piece) <= PIECE_CHUNKS * 8192 / 7 + 1
    total = 2 * len(range(0, 400_000, 7))
    assert seen[-1] == (total, total)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert all(rows * length < 50_000 for rows, length in model.read)


def test_strand_label_and_mode_are_as_asked(motif):
    record = random_record(300)
    both = gather(scan(motif, record))
    assert (both.mode, both.label, both.window) == ("stream", "start", 61)
    forward = gather(scan(motif, record, strand="+"))
    assert forward.reverse is None
    np.testing.assert_array_equal(forward.forward, both.forward)
    other = gather(scan(motif, record, label="none", strand="-"))
    np.testing.assert_allclose(other.reverse, 1 - both.reverse)
    # Each window from a fresh state: the motif's model sees no further than its window, so inside they agree.
    windows = gather(scan(motif, record, mode="window"))
    assert windows.mode == "window"
    inner = slice(31, 300 - 31)
    np.testing.assert_allclose(windows.forward[inner], both.forward[inner], atol=1e-6)
    np.testing.assert_allclose(windows.reverse[inner], both.reverse[inner], atol=1e-6)


def test_a_mode_that_a_model_does_not_have_is_refused():
    with pytest.raises(InputError, match="toy has no stream mode; it is scanned in window mode"):
        scan(MotifClassifier(), random_record(100), mode="stream")
    with pytest.raises(InputError, match="mode is 'x'; it must be one of stream, window"):
        scan(MotifClassifier(), random_record(100), mode="x")
    with pytest.raises(InputError, match="reads windows of 21 bases, not 30"):
        scan(Positions(), random_record(100), window=30)
    with pytest.raises(InputError, match="the chunk is 0 bases"):
        scan(Positions(), random_record(100), chunk=0)


def test_pieces_may_be_scored_in_any_order(recurrent):
    record = random_record(4_000)
    ready = RecordScan(recurrent, record, options=ScanOptions(stride=3, chunk=60))
    assert len(ready.pieces) > 2
    straight = [ready.score(*piece) for piece in ready.pieces]
    backwards = [ready.score(*piece) for piece in reversed(ready.pieces)]
    for one, other in zip(straight, reversed(backwards), strict=True):
        np.testing.assert_array_equal(one.forward, other.forward)
