"""What every section of a sweep file is: frozen, and without unknown keys."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictInt

Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[StrictInt, Field(ge=1)]


class ConfigSection(BaseModel):
    """Keys of a sweep file that belong together."""

    # Docstrings of keys are what `medsweep explain` says of them.
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        protected_namespaces=(),
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )
