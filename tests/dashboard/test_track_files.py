"""The genome browser's routes: ranges of files, for whoever may read the sequence, and nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

import numpy as np
import pyBigWig
import pytest
import toy_house
from asgi_client import Client
from starlette.applications import Starlette
from starlette.routing import Route

from dashboard import igv_copy, resources, track_cache, uploads
from dashboard.track_files import PAGE, answer, page_address
from dnalm.annotation import Gene, Site
from dnalm.errors import InputError
from dnalm.lab.people import add_user, local_user
from dnalm.lab.uploads import share_upload, upload
from dnalm.sequences import Record, Region
from dnalm.tracks import Peak, Track
from dnalm.tracks.igv_session import Scanned, View

KEY = "toy"


@pytest.fixture
def client():
    paths = (PAGE, PAGE + "{name}", PAGE + "files/{sequence}/{name}")
    return Client(Starlette(routes=[Route(path, answer) for path in paths]))


def view(*, peaks=True, seed=0, region=None) -> View:
    rng = np.random.default_rng(seed)
    record = Record(toy_house.RECORD, toy_house.genome())
    forward, reverse = rng.random((2, 500), dtype=np.float32)
    positions = np.arange(1000, 1500)
    one = Track(record.id, 1000, 1500, 1, 81, positions, forward, reverse, "toy", "start", len(record))
    called = [Peak(record.id, 1200, "+", 0.9)] if peaks else []
    sites = [Site(record.id, 1201, "+", "p1")]
    genes = [Gene(record.id, 1250, 1400, "+", "abcA", "CDS")]
    return View(record, region or Region(record.id, 1000, 1500), [Scanned(one, called)], sites, "Known starts", genes)


def prepared(key: str = KEY, **options) -> tuple[str, dict]:
    name = track_cache.prepare(key, view(**options))
    return name, json.loads((track_cache.store() / key / name).read_text())


def files() -> set[str]:
    return {path.name for path in track_cache.store().rglob("*") if path.is_file()}


def test_a_view_is_read_as_igv_js_reads_it(house, client):
    name, _ = prepared()
    told = client.get(f"{PAGE}files/{KEY}/{name}")
    assert (told.status_code, told.headers["content-type"]) == (200, "application/json")
    shown = json.loads(told.content)
    assert shown["locus"] == f"{toy_house.RECORD}:1001-1500"
    assert [(track["name"], track["format"]) for track in shown["tracks"]] == [
        ("Forward strand", "bigwig"),
        ("Reverse strand", "bigwig"),
        ("Peaks", "bed"),
        ("Known starts", "bed"),
        ("Genes", "gff3"),
    ]
    assert [track["flipAxis"] for track in shown["tracks"][:2]] == [False, True]
    for track in shown["tracks"]:
        assert client.get(f"{PAGE}files/{KEY}/{track['url']}").status_code == 200
    index = client.get(f"{PAGE}files/{KEY}/{shown['reference']['indexURL']}").text.split("\t")
    assert index[:2] == [toy_house.RECORD, str(toy_house.LENGTH)]


def test_a_range_of_a_file_is_sent_and_a_bigwig_can_be_put_together_of_ranges(house, client, tmp_path):
    _, shown = prepared()
    address = f"{PAGE}files/{KEY}/{shown['tracks'][0]['url']}"
    whole = client.get(address)
    size = len(whole.content)
    pieces = []
    for start in range(0, size, 1000):
        piece = client.get(address, {"Range": f"bytes={start}-{start + 999}"})
        assert piece.status_code == 206
        assert piece.headers["content-range"] == f"bytes {start}-{min(start + 999, size - 1)}/{size}"
        assert int(piece.headers["content-length"]) == len(piece.content)
        pieces.append(piece.content)
    assert b"".join(pieces) == whole.content
    (tmp_path / "t.bw").write_bytes(whole.content)
    with pyBigWig.open(str(tmp_path / "t.bw")) as file:
        found = file.values(toy_house.RECORD, 1000, 1500, numpy=True)
    np.testing.assert_allclose(found, view().scans[0].track.forward, atol=0.00051)
    last = client.get(address, {"Range": "bytes=-16"})
    assert (last.status_code, last.content) == (206, whole.content[-16:])


def test_ranges_that_cannot_be_sent(house, client):
    _, shown = prepared()
    address = f"{PAGE}files/{KEY}/{shown['reference']['fastaURL']}"
    whole = client.get(address)
    beyond = client.get(address, {"Range": f"bytes={len(whole.content)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(whole.content)}")
    assert client.get(address, {"Range": "bytes=x-y"}).status_code == 400
    # A range of the file as it was: the whole is sent where it is another now.
    same = client.get(address, {"Range": "bytes=0-3", "If-Range": whole.headers["etag"]})
    assert (same.status_code, same.content) == (206, whole.content[:4])
    other = client.get(address, {"Range": "bytes=0-3", "If-Range": '"another"'})
    assert (other.status_code, other.content) == (200, whole.content)


def test_head_tells_the_size_and_sends_nothing(house, client):
    name, _ = prepared()
    head = client.head(f"{PAGE}files/{KEY}/{name}")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 100
    assert head.headers["accept-ranges"] == "bytes"


@pytest.fixture
def people(house, monkeypatch):
    """Ann, Ben, and a way to act as one of them."""
    ann, ben = (add_user(local_user(), name.lower(), name) for name in ("Ann", "Ben"))
    return ann, ben, lambda user: monkeypatch.setattr(resources, "acting_user", lambda: user)


def test_another_persons_files_are_as_if_they_were_not_there(people, client):
    ann, ben, act_as = people
    kept = uploads.keep(ann, b">mine\nACGTACGTGG\n", "mine.fa")
    name, shown = prepared(kept.key)
    addresses = [f"{PAGE}files/{kept.key}/{one}" for one in (name, shown["tracks"][0]["url"])]
    missing = client.get(f"{PAGE}files/upload-0123456789abcdef/{'0' * 32}.bw")
    act_as(ann)
    assert [client.get(address).status_code for address in addresses] == [200, 200]
    act_as(ben)
    for address in addresses:
        for options in ({}, {"Range": "bytes=0-9"}):
            refused = client.get(address, options)
            assert (
                (refused.status_code, refused.content)
                == (missing.status_code, missing.content)
                == (404, missing.content)
            )
    share_upload(ann, upload(ann, kept.key).id, True)
    assert client.get(addresses[0]).status_code == 200
    share_upload(ann, upload(ann, kept.key).id, False)
    assert client.get(addresses[0]).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "files/toy/../../../lab.db",
        "files/toy/..%2f..%2flab.db",
        "files/../{name}",
        "files/%2e%2e/{name}",
        "files/toy/.{name}",
        "files/toy/{name}.part",
        "files/toy/%00{name}",
        "files/other/{name}",
        "files/toy/",
        "page.html",
        "../app.py",
        "igv.min.js.map",
        "LICENSE",
    ],
)
def test_nothing_but_views_is_sent(house, client, path):
    name, _ = prepared()
    (track_cache.store().parent / "lab.db").write_text("secret")
    assert client.get(PAGE + path.format(name=name)).status_code == 404


def test_a_link_in_the_cache_is_not_followed(house, client, tmp_path):
    prepared()
    (tmp_path / "secret").write_text("secret")
    link = track_cache.store() / KEY / f"{'a' * 32}.bed"
    link.symlink_to(tmp_path / "secret")
    assert client.get(f"{PAGE}files/{KEY}/{link.name}").status_code == 404


def test_the_page_runs_its_own_scripts_alone(house, client):
    page = client.get(page_address(KEY, "x.json", dark=True, page_query="region=a:1-2&b=<script>"))
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe-eval" not in policy
    assert "http" not in page.text.replace("http-equiv", "")
    for name in ("page.js", "page.css"):
        asset = client.get(PAGE + name)
        assert asset.status_code == 200
        assert asset.headers["x-content-type-options"] == "nosniff"


def test_igv_js_is_served_only_when_it_is_known(house, client, tmp_path, monkeypatch):
    monkeypatch.setattr(igv_copy, "folder", lambda: tmp_path)
    assert client.get(PAGE + igv_copy.FILE).status_code == 404
    assert igv_copy.find_copy() == (None, "igv.js, which draws the genome browser, is not installed here.")
    file = tmp_path / igv_copy.FILE
    file.write_text("alert(1)")
    refused = client.get(PAGE + igv_copy.FILE)
    assert (refused.status_code, "changed or damaged" in refused.text) == (404, True)
    digest = hashlib.sha256(b"alert(1)").hexdigest()
    monkeypatch.setattr(igv_copy, "KNOWN", {**igv_copy.KNOWN, digest: ("0.0", "a test")})
    os.utime(file, (1, 1))
    known, why = igv_copy.find_copy()
    assert (known.version, known.source, why) == ("0.0", "a test", "")
    assert client.get(PAGE + igv_copy.FILE).text == "alert(1)"


def test_the_same_view_is_written_once_and_another_threshold_writes_its_peaks_alone(house):
    name, shown = prepared()
    before = {path: path.stat().st_mtime_ns for path in track_cache.store().rglob("*.*")}
    assert prepared() == (name, shown)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    other, _ = prepared(peaks=False)
    assert other != name
    assert files() - {path.name for path in before} == {other}
    moved, _ = prepared(region=Region(toy_house.RECORD, 1100, 1200))
    assert files() - {path.name for path in before} == {other, moved}


def test_the_longest_unused_files_go_when_there_is_no_room(house, client, monkeypatch):
    first, shown = prepared()
    second, _ = prepared(seed=1)
    old = time.time() - 9999
    for path in track_cache.store().rglob("*.*"):
        os.utime(path, (old, old))
    # What is asked for is used.
    assert client.get(f"{PAGE}files/{KEY}/{first}").status_code == 200
    left = track_cache.store() / KEY / ".half.bw"
    left.write_text("half")
    os.utime(left, (old, old))
    monkeypatch.setattr(track_cache, "LARGEST_STORE", sum(map(_size, files())) - 1)
    third, newest = prepared(seed=2)
    here = files()
    assert {third, first} <= here
    assert {track["url"] for track in newest["tracks"]} <= here
    assert sum(map(_size, here)) <= track_cache.LARGEST_STORE
    assert second not in here or shown["tracks"][0]["url"] not in here
    assert ".half.bw" not in here


def _size(name: str) -> int:
    return next(path.stat().st_size for path in Path(track_cache.store()).rglob(name))


def test_a_record_too_long_for_a_page_is_refused(house, monkeypatch):
    monkeypatch.setattr(track_cache, "LONGEST_RECORD", 1000)
    with pytest.raises(InputError, match="has 30,000 bases, more than the 1,000"):
        prepared()
    assert not track_cache.store().exists()


def test_below_a_path_the_address_is_too(house, monkeypatch):
    import streamlit as st

    assert page_address("k", "v", dark=False).startswith("/genome-browser/?sequence=k&view=v&look=light")
    monkeypatch.setattr(st, "get_option", lambda name: "/lab/dna/")
    assert page_address("k", "v", dark=False).startswith("/lab/dna/genome-browser/?")
