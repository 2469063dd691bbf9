"""Scan the demonstration region with every shipped model that can scan and keep the scores beside the demo data.

The dashboard's first picture then needs no scoring: a scan of every base of 40 kb takes minutes on a small machine. A
kept scan is found by its model's files, so run this again after a shipped model was trained again; scans of models
that are no longer here are removed. Usage: `python scripts/demo_tracks.py [MODEL ...]`, all models without a name.
"""

from __future__ import annotations

import sys
import time

import dnalm
from dnalm.model.bundle import read_bundle
from dnalm.sequences import Region, read_records
from dnalm.settings import settings
from dnalm.tracks import gather, scan
from dnalm.tracks.store import bundle_digest, record_digest, save_track, track_key

REGION = Region("NC_000913.3", 800_000, 840_000)


def main() -> None:
    """Scan with each model whose scan is not kept yet."""
    genome = settings().shipped_data / "genomes" / "ecoli_k12_mg1655.fna.gz"
    target = settings().shipped_data / "demo" / "tracks"
    record = next(record for record in read_records(genome) if record.id == REGION.record)
    sequence, wanted = record_digest(record), set()
    for folder in sorted(path.parent for path in settings().shipped_models.glob("*/config.json")):
        config = read_bundle(folder).config
        if config.kind == "language-model" or not config.window or not config.positive:
            continue
        what = {"window": config.window, "label": config.positive, "mode": config.modes[0]}
        key = track_key(bundle_digest(folder), sequence, **what)
        name = f"{key}.{REGION.start}-{REGION.end}.1.npz"
        wanted.add(name)
        if sys.argv[1:] and config.name not in sys.argv[1:]:
            continue
        if (target / name).exists():
            print(f"{config.name}: kept already", file=sys.stderr)
            continue
        begun = time.monotonic()
        track = gather(scan(dnalm.load(folder), record, region=REGION))
        save_track(track, key, target)
        print(f"{config.name}: {name}, {time.monotonic() - begun:.0f} s", file=sys.stderr)
    for path in target.glob("*.npz"):
        if path.name not in wanted:
            path.unlink()


if __name__ == "__main__":
    main()
