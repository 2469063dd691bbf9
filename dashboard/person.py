"""Whoever looks at the page: every call into `dnalm.lab` takes them first."""

from __future__ import annotations

from dnalm.lab.people import User, local_user


def acting_user() -> User:
    """The person who acts; without accounts, the installation's one local user."""
    return local_user()
