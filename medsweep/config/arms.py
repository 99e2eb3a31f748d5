"""Models and arms of a sweep file."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    StrictBool,
    field_serializer,
    field_validator,
    model_validator,
)

from medsweep.arms import ARMS, ArmName
from medsweep.config._section import ConfigSection, Count
from medsweep.config.search import SearchConfig
from medsweep.tasks import MethodName

NEEDS_MODEL = ("finetuned", *(name for name, arm in ARMS.items() if arm.needs_model))


class ModelConfig(ConfigSection):
    """A base model. A plain string is its id."""

    id: Annotated[str, Field(min_length=1)]
    """Hub id, folder, .gguf file or package:NAME/PATH."""
    trust_remote_code: StrictBool = False
    """Whether code in the model's folder may run."""
    search: SearchConfig | None = None
    """Parts of the sweep's search that are otherwise for this model: three top layers are half of
    one model and a tenth of another."""
    method: MethodName | None = None
    """How this model answers [task.method]."""
    devices: Count = 1
    """Over how many its weights are sharded while it is trained, if one cannot hold them."""

    @field_validator("search", mode="before")
    @classmethod
    def _null_is_unset(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {k: v for k, v in value.items() if v is not None}
        return value

    @field_serializer("search", mode="wrap")
    def _unset_is_null(
        self, search: SearchConfig | None, dump: SerializerFunctionWrapHandler
    ) -> dict[str, Any] | None:
        # A default written down would be read back as the model's own.
        if search is None:
            return None
        return {k: v if k in search.model_fields_set else None for k, v in dump(search).items()}

    @model_validator(mode="before")
    @classmethod
    def _id_alone(cls, value: Any) -> Any:
        return {"id": value} if isinstance(value, str) else value


class ArmConfig(ConfigSection):
    """A way to predict beside the tuned candidates. A plain string is its name."""

    arm: ArmName
    """Which way; `medsweep explain arms.options` lists the options of each."""
    model: ModelConfig | None = None
    """Of probe [every candidate], zero_shot and few_shot [the reference's]."""
    options: dict[str, Any] = Field(default={})
    """The arm's own."""

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"arm": value} if isinstance(value, str) else value


class ReferenceConfig(ConfigSection):
    """What the candidates must match. A plain string is the name of an arm."""

    arm: Literal[ArmName, "finetuned"] = "finetuned"
    """A tuned model, or another arm."""
    model: ModelConfig | None = None
    """The large one."""
    options: dict[str, Any] = Field(default={})
    """The arm's own."""
    trials: Count | None = None
    """Trials of a tuned reference [search.trials]."""
    draws: Count | None = None
    """Draws of a tuned reference [the sweep's]. With one the candidates are held against this
    one large adapter, not against its kind."""

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"arm": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _has_its_model(self) -> Self:
        if self.arm in NEEDS_MODEL and self.model is None:
            raise ValueError(f"arm {self.arm} needs a model; add reference.model")
        if self.arm not in (*NEEDS_MODEL, "endpoint") and self.model is not None:
            raise ValueError(f"arm {self.arm} uses no model; leave reference.model out (null)")
        return self
