"""The track model: what it says of a base depends on what is near, on either strand, whatever chunk it is read in."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from toy_track import MOTIF, SMALL_ENCODER, motif_tracks, random_tracks, track_bundle

from dnalm.alphabet import encode, reverse_complement
from dnalm.errors import InputError
from dnalm.model.config import BundleConfig, TrackMemberConfig
from dnalm.model.predict import TrackModel, load


def drawn(length, seed=0):
    return np.random.default_rng(seed).integers(0, 4, length).astype(np.uint8)


def found(row):
    return np.flatnonzero(row > 0.5).tolist()


def test_a_motif_is_found_on_both_strands_where_it_begins(tmp_path):
    model = load(track_bundle(tmp_path / "toy").folder)
    text = "CCCC" + MOTIF + "GGGGG" + "ATTATA" + "CC"
    ahead, back = model.probabilities_along(encode(text)[None])
    assert isinstance(model, TrackModel)
    assert found(ahead[0]) == [4]
    assert found(back[0]) == [4 + 6 + 5 + 5]  # the last base of ATTATA is where the other strand's motif begins
    assert ahead[0].max() == pytest.approx(1 / (1 + np.exp(-8)))


@pytest.mark.parametrize("members", [1, 2])
def test_strands_are_mirrors(members):
    module = random_tracks(members=members)
    codes = drawn(120)
    ahead, back = module(torch.from_numpy(codes[None]))
    turned_ahead, turned_back = module(torch.from_numpy(reverse_complement(codes)[None].copy()))
    torch.testing.assert_close(turned_ahead.flip(1), back)
    torch.testing.assert_close(turned_back.flip(1), ahead)


def test_the_base_door_agrees():
    module = random_tracks()
    codes = torch.from_numpy(drawn(90)[None])
    ahead, back = module(codes)
    other_ahead, other_back = module.from_bases(torch.nn.functional.one_hot(codes.long(), 4).float())
    torch.testing.assert_close(other_ahead, ahead)
    torch.testing.assert_close(other_back, back)


def test_a_chunk_with_its_context_gives_what_the_whole_gives():
    module = random_tracks()
    codes = torch.from_numpy(drawn(3000)[None])
    whole, chunk = module(codes), module(codes[:, 600:2100])
    inner = slice(module.burn_in, 1500 - module.burn_in)
    for full, part in zip(whole, chunk, strict=True):
        torch.testing.assert_close(part[:, inner], full[:, 600:2100][:, inner], atol=1e-3, rtol=0)
    assert module.burn_in % module.step == 0


def test_a_window_is_scored_at_its_anchor_on_both_strands(tmp_path):
    model = load(track_bundle(tmp_path / "toy", window=21).folder)
    window = np.full((1, 21), encode("C")[0], dtype=np.uint8)
    window[0, 10:16] = encode(MOTIF)
    ahead, back = model.logits_both_strands(window)
    assert ahead[0].tolist() == [0, 8]
    assert back[0].tolist() == [0, -8]
    turned = reverse_complement(window[0])[None]
    assert model.logits(turned)[0].tolist() == [0, -8]
    assert model.logits_both_strands(turned)[1][0].tolist() == [0, 8]
    assert model.probabilities(window).sum() == pytest.approx(1)


def test_windows_of_an_encoder_are_what_the_whole_says_of_them(tmp_path):
    model = load(track_bundle(tmp_path / "toy", random_tracks(), window=60).folder)
    windows = np.stack([drawn(60, seed) for seed in range(3)])
    ahead, back = model.probabilities_along(windows)
    of_windows = model.logits_both_strands(windows)
    np.testing.assert_allclose(1 / (1 + np.exp(-of_windows[0][:, 1])), ahead[:, 30], atol=1e-6)
    np.testing.assert_allclose(1 / (1 + np.exp(-of_windows[1][:, 1])), back[:, 29], atol=1e-6)


def test_unknown_bases_match_nothing():
    ahead, _ = motif_tracks()(torch.from_numpy(encode("CCTATNATCC")[None]))
    assert ahead.max() == -8


def test_too_short_a_stretch_is_refused(tmp_path):
    model = load(track_bundle(tmp_path / "toy", random_tracks()).folder)
    with pytest.raises(InputError, match="has 3 bases: toy reads 4 or more"):
        model.probabilities_along(np.zeros((1, 3), dtype=np.uint8))


def test_what_a_track_model_must_say():
    with pytest.raises(ValidationError, match="a track model has the fields tracks"):
        BundleConfig(kind="track", name="x", labels=["a", "b"], positive="b", window=9, anchor=4)
    with pytest.raises(ValidationError, match="motif_width is 4; it must be odd"):
        TrackMemberConfig(encoder=SMALL_ENCODER, motif_width=4)
