"""Documents: readers, splits, the ladder of training sizes, and synthetic samples."""

from medsweep.corpus._base import Columns, Document, Reader, Span

__all__ = ["Columns", "Document", "Reader", "Span"]
