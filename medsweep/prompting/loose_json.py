"""JSON in what a model wrote: amid words, in single quotes, or cut off before its end."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_DECODER = json.JSONDecoder()
# Tags that reasoning models are taught to put around what they consider.
_THOUGHT = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_END = re.compile(r"</(?:think|thinking|reasoning)>", re.IGNORECASE)
# A string in either kind of quotes, a name that Python writes otherwise, or a comma too many.
_PYTHON = re.compile(
    r"""(?P<double>"(?:[^"\\]|\\.)*")
    |'(?P<single>(?:[^'\\]|\\.)*)'
    |\b(?P<name>None|True|False)\b
    |,(?=\s*[\]}])""",
    re.DOTALL | re.VERBOSE,
)
_NAMES = {"None": "null", "True": "true", "False": "false"}


def without_thoughts(answer: str) -> str:
    """An answer without its ``<think>`` blocks; one that never ends is no answer at all.

    Chat templates may open the block in the prompt, so that only its end is written.
    """
    return _END.split(_THOUGHT.sub("", answer))[-1]


def json_values(answer: str, opening: str) -> Iterator[Any]:
    """Every JSON value that begins with ``opening``: models like to talk around it."""
    for match in re.finditer(re.escape(opening), answer):
        try:
            yield _DECODER.raw_decode(answer, match.start())[0]
        except (ValueError, RecursionError):
            continue


def python_as_json(answer: str) -> str:
    """An answer with strings in single quotes, as Python shows values, in double ones."""
    return _PYTHON.sub(_rewritten, answer)


def closed_objects(answer: str) -> list[dict[str, Any]]:
    """The objects that are whole in the first list that has any, though it is not itself whole."""
    for match in re.finditer(r"\[\s*(?=\{)", answer):
        objects, at = list[dict[str, Any]](), match.end()
        while at < len(answer) and answer[at] == "{":
            try:
                value, end = _DECODER.raw_decode(answer, at)
            except (ValueError, RecursionError):
                break
            objects.append(value)
            behind = re.compile(r"\s*,?\s*").match(answer, end)
            at = behind.end() if behind else end
        if objects:
            return objects
    return []


def _rewritten(match: re.Match[str]) -> str:
    if (single := match["single"]) is not None:
        body = re.sub(r'\\.|"', lambda m: {"\\'": "'", '"': '\\"'}.get(m[0], m[0]), single)
        return f'"{body}"'
    return match["double"] or _NAMES.get(match["name"] or "", "")
