"""Options of every arm, checked before anything is trained. Imports no torch."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, ValidationError

from medsweep.errors import ConfigError
from medsweep.tasks._base import NO_LIKELIHOOD, TaskKind

Count = Annotated[StrictInt, Field(ge=1)]
Tokens = Annotated[StrictInt, Field(ge=8)]
Selection = Literal["random", "bm25"]


class Options(BaseModel):
    """An arm without options."""

    # Docstrings of keys are what `medsweep explain` says of them.
    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), use_attribute_docstrings=True
    )


class RulesOptions(Options):
    """Patterns, written by hand."""

    path: Path | None = None
    """A pattern file [the one for smoking status that comes along]."""


class ProbeOptions(Options):
    """A linear model on a candidate's frozen embeddings."""

    max_length: Tokens = 512
    """Tokens a window; a longer document is the mean of its windows."""


class PromptOptions(Options):
    """What a prompt says."""

    instruction: str | None = None
    """Replaces the first sentence of the prompt."""
    names: dict[str, str] = {}
    """What a label is called in the prompt; needed where labels are numbers."""


# Tokens of a stretch, unless options say. Attention's scores grow with its square, and a list of
# mentions with its length.
STRETCH: dict[TaskKind, int] = {"classification": 2048, "multilabel": 2048, "ner": 512}


class ZeroShotOptions(PromptOptions):
    """A prompted local decoder."""

    method: Literal["likelihood", "generate"] | None = None
    """likelihood compares the labels' log-probabilities and always answers; generate lets the model
    write JSON, which may fail to parse. NER and multi-label tasks generate [likelihood, if it can
    be]."""
    max_length: Tokens | None = None
    """Tokens of a stretch; a longer document is asked about in several that overlap, and their
    answers are joined [2048, NER: 512, or what the model's context leaves]."""
    max_new_tokens: Count | None = None
    """Tokens that may be generated for a document [by the task]."""
    constrained: StrictBool = False
    """Whether nothing but JSON that answers the question can be generated; needs
    `medsweep[constrained]`."""


class FewShotOptions(ZeroShotOptions):
    """A prompted local decoder that is shown examples."""

    k: Count = 8
    """Examples a prompt."""
    selection: Selection = "random"
    """random takes the same ones, over all labels in turn, for every document; bm25 the most
    similar training documents of each."""
    example_length: Tokens = 128
    """Tokens of an example."""


class PredictionsOptions(Options):
    """Predictions that were made elsewhere; a second annotator is a reference, too."""

    path: Path
    """CSV, JSONL or parquet, a row a test document."""
    columns: dict[Literal["doc_id", "pred"], str] = {}
    """What the table calls doc_id and pred."""


class EndpointOptions(PromptOptions):
    """An OpenAI-compatible server. Documents leave this machine for its url."""

    url: Annotated[str, Field(pattern=r"^https?://[^/\s]+")]
    """Base address, such as http://localhost:8000/v1."""
    model: str
    """What the server calls the model."""
    api_key_env: str | None = None
    """Environment variable that holds the key."""
    concurrency: Count = 4
    """Requests under way at once."""
    retries: Annotated[StrictInt, Field(ge=0)] = 4
    """Attempts after the first, for refused connections, time-outs, 429 and 5xx."""
    timeout_s: Annotated[float, Field(gt=0)] = 60.0
    """Seconds that one attempt may take."""
    backoff_s: Annotated[float, Field(ge=0)] = 1.0
    """Seconds before the first retry; doubled for each further one."""
    k: Annotated[StrictInt, Field(ge=0)] = 0
    """Examples a prompt."""
    selection: Selection = "random"
    """Of examples, as for few_shot."""
    max_chars: Annotated[StrictInt, Field(ge=100)] = 24_000
    """Characters of a stretch; a longer document is asked about in several that overlap, and their
    answers are joined."""
    max_tokens: Count = 1024
    """Tokens of an answer."""
    constrained: StrictBool = False
    """Whether the server is told the answer's JSON schema, as `response_format`; vLLM, llama.cpp
    and Ollama hold to it."""


# Arms whose answers have a place for attributes of mentions, or none that could have one.
WITH_ATTRIBUTES = ("majority", "zero_shot", "few_shot", "endpoint", "predictions")

OPTIONS: dict[str, type[Options]] = {
    "majority": Options,
    "rules": RulesOptions,
    "tfidf": Options,
    "probe": ProbeOptions,
    "zero_shot": ZeroShotOptions,
    "few_shot": FewShotOptions,
    "predictions": PredictionsOptions,
    "endpoint": EndpointOptions,
}


def check_arm(
    name: str,
    kind: TaskKind,
    options: Mapping[str, Any],
    *,
    labels: Sequence[str] | None = None,
    attributes: Sequence[str] = (),
) -> Options:
    """The options of an arm, checked; a pattern file is read, a table must exist.

    Args:
        name: as the sweep file calls the arm.
        kind: the task's.
        options: as the sweep file gives them.
        labels: classes or entity types; None where they are not known yet.
        attributes: fields of mentions that are asked for.

    Raises:
        ConfigError: no such arm, an unknown option or a value that cannot be used; or the arm has
            no answer to what is asked.
    """
    if name not in OPTIONS:
        raise ConfigError(
            f"no arm {name!r} that predicts by itself", where="arms", fix=_near(name, list(OPTIONS))
        )
    if attributes and name not in WITH_ATTRIBUTES:
        raise ConfigError(
            f"arm {name} finds mentions, but none of their attributes",
            where="arms",
            fix=f"name arms that do, such as {', '.join(WITH_ATTRIBUTES[:2])}",
        )
    model, where = OPTIONS[name], f"arms.{name}.options"
    for key in options:
        if key not in model.model_fields:
            raise ConfigError(
                f"unknown option {key!r}",
                where=where,
                fix=_near(str(key), list(model.model_fields)),
            )
    try:
        chosen = model.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, (where, *first["loc"])))
        raise ConfigError(first["msg"], where=place, fix="correct the value") from None
    _check_together(chosen, kind, labels, where)
    return chosen


def _check_together(
    chosen: Options, kind: TaskKind, labels: Sequence[str] | None, where: str
) -> None:
    what = NO_LIKELIHOOD.get(kind)
    if isinstance(chosen, ZeroShotOptions) and what and chosen.method == "likelihood":
        raise ConfigError(
            f"{what} have no likelihood to compare", where=f"{where}.method", fix="use generate"
        )
    if isinstance(chosen, ZeroShotOptions) and chosen.constrained:
        _check_constrained(chosen, kind, where)
    if isinstance(chosen, PromptOptions) and labels is not None:
        for label in chosen.names:
            if label not in labels:
                raise ConfigError(
                    f"no label {label!r}", where=f"{where}.names", fix=_near(label, list(labels))
                )
    if isinstance(chosen, RulesOptions):
        from medsweep.arms.rules import load_rules

        load_rules(chosen.path, kind, labels)
    if isinstance(chosen, PredictionsOptions):
        if chosen.path.suffix.lower() not in (".csv", ".jsonl", ".parquet"):
            raise ConfigError(
                "neither .csv, .jsonl nor .parquet", where=f"{where}.path", fix="convert the table"
            )
        if not chosen.path.is_file():
            raise ConfigError(
                f"no such file: {chosen.path}", where=f"{where}.path", fix="correct the path"
            )


def _check_constrained(chosen: ZeroShotOptions, kind: TaskKind, where: str) -> None:
    if chosen.method != "generate" and kind not in NO_LIKELIHOOD:
        raise ConfigError(
            "only what is generated can be constrained",
            where=f"{where}.constrained",
            fix="add method: generate",
        )
    if find_spec("llguidance") is None:
        raise ConfigError(
            "needs the package llguidance",
            where=f"{where}.constrained",
            fix="pip install 'medsweep[constrained]'",
        )


def _near(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]}?"
    return f"known: {', '.join(known)}" if known else "this arm has no options"
