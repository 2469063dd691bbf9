"""Read sequences: FASTA, GenBank, CSV and TSV, plain or compressed, into records of base codes."""

from dnalm.sequences.blocks import Header
from dnalm.sequences.labelled import read_any, read_two_fasta
from dnalm.sequences.opening import open_text
from dnalm.sequences.reading import read_records, stream_codes
from dnalm.sequences.record import LabelledSequence, Record, Region, lies_in, require_length
from dnalm.sequences.table import read_labelled

__all__ = [
    "Header",
    "LabelledSequence",
    "Record",
    "Region",
    "lies_in",
    "open_text",
    "read_any",
    "read_labelled",
    "read_records",
    "read_two_fasta",
    "require_length",
    "stream_codes",
]
