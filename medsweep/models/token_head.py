"""Token classification for every architecture, also where transformers has no class for it."""

from __future__ import annotations

from typing import Any

from transformers import AutoModel, AutoModelForTokenClassification, PreTrainedModel
from transformers.modeling_layers import GenericForTokenClassification


def token_classifier(config: Any) -> Any:
    """What loads a model of ``config`` with a token head: transformers' class, else one made here.

    The one made here is transformers' own generic head (dropout and one linear layer, ``score``)
    over the body of the architecture. Its adapters are plain PEFT folders, that need this class
    for their base.

    Raises:
        ValueError: the architecture is unknown to transformers.
    """
    kind = type(config)
    if kind in AutoModelForTokenClassification._model_mapping:
        return AutoModelForTokenClassification
    if kind not in AutoModel._model_mapping:
        raise ValueError("an architecture that transformers does not know")
    body: Any = AutoModel._model_mapping[kind]
    # The family's own base class knows how its weights are named and initialised.
    family = next(
        c for c in body.__mro__[1:] if issubclass(c, PreTrainedModel) and c is not PreTrainedModel
    )
    # A family may name another configuration than its text model's.
    return type("TokenClassifier", (GenericForTokenClassification, family), {"config_class": kind})
