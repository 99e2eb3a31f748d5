"""Hand-over: a checked adapter folder, and predictions for new documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["export_adapter", "predict_documents"]

if TYPE_CHECKING:
    from medsweep.export.adapter import export_adapter
    from medsweep.export.predict import predict_documents


def __getattr__(name: str) -> Any:
    # torch and transformers take seconds to import.
    if name == "export_adapter":
        from medsweep.export.adapter import export_adapter

        return export_adapter
    if name == "predict_documents":
        from medsweep.export.predict import predict_documents

        return predict_documents
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
