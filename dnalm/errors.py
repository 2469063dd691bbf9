"""The errors that a person can act on, and the exit code each gives at the command line."""

from __future__ import annotations


class DnalmError(Exception):
    """Something went wrong that one sentence explains: the message is shown as it is, without a traceback."""

    exit_code = 1


class InputError(DnalmError):
    """What was given is not usable: the message names the file, record, line or field, and what is wanted."""

    exit_code = 2


class BundleError(InputError):
    """A model bundle is damaged, of another schema, or does not match its own description."""


class RunError(DnalmError):
    """A run cannot go on: the message says what to change."""
