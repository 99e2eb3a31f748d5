"""What arms that put a question share: options, the wording, and answers by document."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from pydantic import Field

from medsweep.arms._base import ArmOptions
from medsweep.corpus import Document
from medsweep.errors import ConfigError, suggestion
from medsweep.prompting.prompt import Prompts
from medsweep.prompting.window import TextWindow, document_answer
from medsweep.tasks import Task, TaskKind
from medsweep.tasks.prediction import Prediction

# A window of a document, and the document.
Question = tuple[Document, TextWindow]


class PromptOptions(ArmOptions):
    """What a prompt says."""

    instruction: str | None = None
    """Replaces the first sentence of the prompt."""
    names: dict[str, str] = Field(default={})
    """What a label is called in the prompt; needed where labels are numbers."""

    def check(self, kind: TaskKind, labels: Sequence[str] | None, where: str) -> None:
        """Only labels that there are can have names."""
        super().check(kind, labels, where)
        for label in self.names:
            if labels is not None and label not in labels:
                fix = suggestion(label, labels) or f"known: {', '.join(labels)}"
                raise ConfigError(f"no label {label!r}", where=f"{where}.names", fix=fix)

    def prompts(self, task: Task, *, as_json: bool) -> Prompts:
        """The prompts of ``task`` in this wording."""
        return Prompts.of(task, names=self.names, instruction=self.instruction, as_json=as_json)


def joined_predictions(
    documents: Sequence[Document],
    questions: Iterable[Question],
    answers: Iterable[str],
    prompts: Prompts,
    cut: Collection[str] = (),
) -> list[Prediction]:
    """A prediction a document, from the answers to the questions about its windows.

    Args:
        documents: that were asked about.
        questions: windows of them.
        answers: to each question.
        prompts: that were put.
        cut: documents with an answer that ended at its limit.
    """
    parts: dict[str, list[tuple[TextWindow, str]]] = {d.id: [] for d in documents}
    for (document, window), answer in zip(questions, answers, strict=True):
        parts[document.id].append((window, answer))
    found = [document_answer(d, parts[d.id], prompts).prediction for d in documents]
    return [replace(p, cut=p.doc_id in cut) for p in found]
