"""What models are told. All wording stands here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medsweep.corpus import Document, Span
from medsweep.tasks import Task, TaskKind

Message = dict[str, str]

_INSTRUCTIONS: Mapping[TaskKind, str] = {
    "classification": "Read the clinical document and choose the one category that fits it.",
    "multilabel": "Read the clinical document and choose every category that fits it.",
    "ner": "Find every mention of the entity types below in the clinical document.",
}


@dataclass(frozen=True, slots=True)
class Prompts:
    """Prompts of a task.

    The wording that all documents share comes first, so that a model computes it once.

    Attributes:
        kind: the task's.
        labels: classes or entity types.
        names: what they are called in the prompt, by label.
        instruction: the first sentence.
        as_json: whether the answer is JSON; else the name of a class alone.
        attributes: fields of mentions that are asked for.
    """

    kind: TaskKind
    labels: tuple[str, ...]
    names: Mapping[str, str]
    instruction: str
    as_json: bool
    attributes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, task: Task, *, names: Mapping[str, str], instruction: str | None, as_json: bool
    ) -> Prompts:
        """The prompts of ``task`` with a sweep file's wording, where it gives one."""
        sentence = instruction or _INSTRUCTIONS[task.kind]
        all_names = {label: names.get(label, label) for label in task.labels}
        return cls(task.kind, task.labels, all_names, sentence, as_json, task.attributes)

    def messages(self, text: str, examples: Sequence[tuple[str, Document]] = ()) -> list[Message]:
        """The conversation that asks about ``text``.

        Args:
            text: of the document, or the part of it that fits.
            examples: pairs of a text, perhaps shortened, and the document with its gold.
        """
        messages: list[Message] = []
        texts = [*(t for t, _ in examples), text]
        for place, part in enumerate(texts):
            header = "" if place else f"{self._header()}\n\n"
            messages.append(
                {"role": "user", "content": f"{header}Document:\n{part}\n\n{self._question()}"}
            )
            if place < len(examples):
                answer = self.answer(examples[place][1], part)
                messages.append({"role": "assistant", "content": answer})
        return messages

    def plain(self, messages: Sequence[Message]) -> str:
        """The conversation as one text, for models without a chat template."""
        parts = [
            m["content"] if m["role"] == "user" else f"Answer: {m['content']}" for m in messages
        ]
        return "\n\n".join([*parts, "Answer:"])

    def answer(self, document: Document, text: str) -> str:
        """A document's gold, as a model should write it; mentions that ``text`` lacks left out."""
        if self.kind == "classification":
            name = self.names.get(document.label or "", document.label or "")
            return json.dumps({"label": name}, ensure_ascii=False) if self.as_json else name
        if self.kind == "multilabel":
            names = [self.names.get(label, label) for label in document.labels or ()]
            return json.dumps({"labels": names}, ensure_ascii=False)
        mentions = [
            {"text": mention, "type": self.names.get(s.type, s.type), **self._fields(s)}
            for s in document.spans or ()
            if (mention := document.text[s.start : s.end]) in text
        ]
        return json.dumps(mentions, ensure_ascii=False)

    def schema(self) -> dict[str, Any]:
        """The JSON schema of an answer, its parts in the order in which examples have them."""
        named = {"enum": [self.names[label] for label in self.labels]}
        if self.kind == "classification":
            return _object({"label": named})
        if self.kind == "multilabel":
            return _object(
                {"labels": {"type": "array", "items": named, "maxItems": len(self.labels)}}
            )
        parts: dict[str, Any] = {"text": {"type": "string", "minLength": 1}, "type": named}
        if self.attributes:
            fields = _object({field: {"type": "string"} for field in self.attributes})
            parts["attributes"] = {**fields, "required": []}
        return {"type": "array", "items": _object(parts)}

    def _fields(self, span: Span) -> dict[str, dict[str, str]]:
        if not self.attributes:
            return {}
        return {"attributes": {f: v for f, v in span.attributes if f in self.attributes}}

    def _header(self) -> str:
        kinds = "Entity types" if self.kind == "ner" else "Categories"
        lines = "\n".join(f"- {self.names[label]}" for label in self.labels)
        header = f"{self.instruction}\n{kinds}:\n{lines}"
        if not self.attributes:
            return header
        return "\n".join([header, "Attributes of a mention:", *(f"- {a}" for a in self.attributes)])

    def _question(self) -> str:
        if self.kind == "ner":
            fields = (
                ', "attributes": {<attribute>: <value>, only those that it has}'
                if self.attributes
                else ""
            )
            return (
                'Answer only with a JSON list of {"text": <exactly as written>, "type": <entity '
                f"type>{fields}}}, in the order of the document, with every repetition; [] if "
                "there is none."
            )
        if self.kind == "multilabel":
            return 'Answer only with JSON: {"labels": [<category>, …]}, an empty list if none fits.'
        if self.as_json:
            return 'Answer only with JSON: {"label": <category>}.'
        return "Category:"


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
