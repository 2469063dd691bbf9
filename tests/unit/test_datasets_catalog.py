"""The catalogue: its entries, its checks, and downloads from a server of the test's own."""

from __future__ import annotations

import gzip
import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from dnalm.datasets import catalog
from dnalm.datasets.checksums import checksum
from dnalm.datasets.download import PIECE, download
from dnalm.errors import InputError, RunError
from dnalm.settings import settings

TEXT = b">one\nACGTACGT\nAC\n>two\nTTTT\n"


class Handler(BaseHTTPRequestHandler):
    """Serves `server.files`; breaks off after `server.limit` bytes; understands Range with If-Range."""

    def do_GET(self):
        body = self.server.files.get(self.path)
        self.server.ranges.append(self.headers.get("Range"))
        if body is None:
            self.send_error(404)
            return
        mark, first = f'"{hashlib.sha256(body).hexdigest()}"', 0
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if wanted and self.headers.get("If-Range") == mark:
            first = int(wanted[1])
            self.send_response(206)
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body) - first))
        self.send_header("ETag", mark)
        self.end_headers()
        self.wfile.write(body[first:][: self.server.limit])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.ranges, server.limit = {}, [], None
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def entry_of(
    content: bytes, tmp_path, addresses, official="identical", path="genomes/x.fa.gz", **more
) -> catalog.Entry:
    packed = gzip.compress(content, mtime=0)
    copy = tmp_path / "made.fa.gz"
    copy.write_bytes(packed)
    return catalog.Entry(
        name="x",
        path=path,
        kind="genome",
        title="x",
        what="x",
        source="https://example.org",
        addresses=addresses,
        official=official,
        sha256=checksum(copy),
        content_sha256=checksum(copy, "content"),
        sequences_sha256=checksum(copy, "sequences"),
        bytes=len(packed),
        licence="none",
        citation="none",
        **more,
    )


def test_the_checksum_levels(tmp_path):
    plain, packed, wrapped = (tmp_path / name for name in ("a.fa", "a.fa.gz", "b.fa"))
    plain.write_bytes(TEXT)
    packed.write_bytes(gzip.compress(TEXT))
    wrapped.write_bytes(b">second\r\nttTT\r\n\r\n>first and more\r\nACGTACGTAC\r\n")
    assert checksum(plain) == hashlib.sha256(TEXT).hexdigest() == checksum(packed, "content")
    assert checksum(packed) != checksum(plain)
    assert checksum(wrapped, "content") != checksum(plain, "content")
    assert checksum(wrapped, "sequences") == checksum(plain, "sequences") == checksum(packed, "sequences")
    wrapped.write_bytes(b">one\nACGTACGTACTTTT\n")
    assert checksum(wrapped, "sequences") != checksum(plain, "sequences")


def test_a_broken_archive_is_named(tmp_path):
    broken = tmp_path / "broken.gz"
    broken.write_bytes(gzip.compress(TEXT * 100)[:-20])
    with pytest.raises(InputError, match=r"broken\.gz is damaged"):
        checksum(broken, "content")


def test_a_download_is_checked_packed_and_reported(server, tmp_path):
    server.files["/x.fa"] = TEXT
    seen = []
    entry = entry_of(TEXT, tmp_path, [f"{server.url}/x.fa"], official="repacked")
    path = download(entry, tmp_path / "cache", lambda done, total: seen.append((done, total)))
    assert path == tmp_path / "cache/genomes/x.fa.gz"
    assert gzip.decompress(path.read_bytes()) == TEXT
    assert seen[-1] == (len(TEXT), len(TEXT))
    assert [found.name for found in path.parent.iterdir()] == ["x.fa.gz"]


def test_a_broken_download_goes_on_where_it_stopped(server, tmp_path):
    content = np.random.default_rng(0).bytes(300_000)
    body = gzip.compress(content, mtime=0)
    server.files["/x"] = body
    server.limit = 3 * PIECE + 100
    entry = entry_of(content, tmp_path, [f"{server.url}/x"])
    with pytest.raises(RunError, match=r"could not be fetched from http.*DNALM_DATA_MIRROR"):
        download(entry, tmp_path / "cache")
    server.limit = None
    assert download(entry, tmp_path / "cache").read_bytes() == body
    assert server.ranges == [None, f"bytes={3 * PIECE}-"]


def test_a_part_of_a_file_that_changed_meanwhile_is_not_continued(server, tmp_path):
    server.files["/x"] = b"something else " * 10_000
    server.limit = PIECE + 30
    entry = entry_of(TEXT, tmp_path, [f"{server.url}/x"])
    with pytest.raises(RunError):
        download(entry, tmp_path / "cache")
    server.files["/x"], server.limit = gzip.compress(TEXT, mtime=0), None
    assert gzip.decompress(download(entry, tmp_path / "cache").read_bytes()) == TEXT


def test_the_next_address_is_tried_and_each_failure_told(server, tmp_path):
    server.files["/wrong"] = b">one\nAAAA\n"
    addresses = [f"{server.url}/missing", f"{server.url}/wrong"]
    with pytest.raises(RunError, match=r"missing: the server answered 404; .*wrong: what came has sha256"):
        download(entry_of(TEXT, tmp_path, addresses), tmp_path / "cache")
    server.files["/good"] = TEXT
    entry = entry_of(TEXT, tmp_path, [*addresses, f"{server.url}/good"])
    assert download(entry, tmp_path / "cache").is_file()


def test_no_connection_names_the_address_and_the_mirror(tmp_path):
    entry = entry_of(TEXT, tmp_path, ["http://127.0.0.1:9/x"])
    with pytest.raises(RunError, match=r"http://127.0.0.1:9/x: no connection.*DNALM_DATA_MIRROR"):
        download(entry, tmp_path / "cache")


def test_other_headers_count_only_where_the_official_file_has_them(server, tmp_path):
    server.files["/x"] = TEXT.replace(b">one", b">renamed")
    address = [f"{server.url}/x"]
    with pytest.raises(RunError, match="wanted"):
        download(entry_of(TEXT, tmp_path, address), tmp_path / "one")
    assert download(entry_of(TEXT, tmp_path, address, official="sequences"), tmp_path / "two").is_file()


def test_every_entry_says_what_a_reader_needs():
    entries = catalog.load()
    assert len(entries) == 30
    assert len({entry.path for entry in entries.values()}) == 30
    for entry in entries.values():
        assert entry.licence and entry.citation and entry.source.startswith("https://")
        assert all(address.startswith("https://") for address in entry.addresses)
        assert bool(entry.addresses) == (entry.official != "derived"), entry.name
        assert entry.official == "identical" or entry.note, entry.name


def test_the_catalogue_has_every_file_of_the_mirror_with_its_checksum(mirror):
    sums = dict(reversed(line.split()) for line in (mirror / "SHA256SUMS").read_text().splitlines())
    sums.pop("README.md", None)
    assert {entry.path: entry.sha256 for entry in catalog.load().values()} == sums


def test_the_mirror_comes_first_and_a_wrong_file_there_is_refused(home, tmp_path, monkeypatch, mirror):
    assert catalog.fetch("16s-taxonomy") == mirror / "metagenomics/taxonomy.txt"
    false = tmp_path / "mirror"
    (false / "metagenomics").mkdir(parents=True)
    (false / "metagenomics/taxonomy.txt").write_text("something else")
    monkeypatch.setenv("DNALM_DATA_MIRROR", str(false))
    settings.cache_clear()
    with pytest.raises(InputError, match=r"taxonomy\.txt \(in DNALM_DATA_MIRROR\) does not match"):
        catalog.fetch("16s-taxonomy")


def test_the_shipped_genome_is_used_without_a_mirror(home, monkeypatch):
    monkeypatch.delenv("DNALM_DATA_MIRROR", raising=False)
    settings.cache_clear()
    path = catalog.fetch("ecoli-k12")
    assert path == settings().shipped_data / "genomes/ecoli_k12_mg1655.fna.gz"
    assert catalog.entry("ecoli-k12").matches(path) == "content"
    with pytest.raises(InputError, match="the catalogue has no 'ecoli'"):
        catalog.fetch("ecoli")
