"""Documents: readers, splits, the ladder of training sizes, and synthetic samples."""

from medsweep.corpus._base import Columns, Document, Reader, Reading, Span
from medsweep.corpus.duplicates import (
    Deduplication,
    check_labels,
    deduplicate,
    set_apart,
)
from medsweep.corpus.ladder import Ladder, build_ladder
from medsweep.corpus.read import missing_file, read_documents, scan
from medsweep.corpus.splits import folds, hold_out, leaking_groups
from medsweep.corpus.write import write_jsonl

__all__ = [
    "Columns",
    "Deduplication",
    "Document",
    "Ladder",
    "Reader",
    "Reading",
    "Span",
    "build_ladder",
    "check_labels",
    "deduplicate",
    "folds",
    "hold_out",
    "leaking_groups",
    "missing_file",
    "read_documents",
    "scan",
    "set_apart",
    "write_jsonl",
]
