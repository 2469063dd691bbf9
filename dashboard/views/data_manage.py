"""What the owner of a labelled set may change: what it is called, who sees it, whether it stays."""

from __future__ import annotations

from dashboard import managing
from dashboard.views import data_parts
from dnalm.datasets.recipes import of_id
from dnalm.lab import index
from dnalm.lab.indexed import IndexedDataset
from dnalm.lab.people import User


def show(user: User, entry: IndexedDataset) -> None:
    """Draw it; whoever may not change the set is told whose it is."""
    made = of_id(entry.name) is not None
    verbs = managing.Verbs(
        describe=None if made else lambda text: index.describe_dataset(user, entry.id, text),
        share=lambda shared: index.share_dataset(user, entry.id, shared),
        check=lambda: index.check_dataset_deletable(user, entry.id),
        delete=lambda: index.delete_dataset(user, entry.id),
        gone=data_parts.go_to,
    )
    back = "Its recipe can make it again." if made else "It cannot be brought back."
    size = data_parts.size(entry.size_bytes)
    question = f"Delete {entry.name}, {entry.rows:,} sequences, {size}, for everyone? {back}"
    managing.show(user, entry, verbs, key="data", what="set", question=question)
