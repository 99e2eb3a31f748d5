"""The model card of an exported adapter. Says nothing of any one document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medsweep.arms.prompts import Prompts
from medsweep.export.note import Note
from medsweep.sweep.items import Item


def model_card(item: Item, note: Note, verdict: Mapping[str, Any], documents: int) -> str:
    """Markdown with the front matter that model hubs read.

    Args:
        item: the trial that made the adapter.
        note: what stands beside its weights.
        verdict: of the sweep, as ``verdict.json`` holds it.
        documents: test documents that the reloaded adapter was checked on.
    """
    cell: Mapping[str, Any] = next(
        (
            c
            for c in verdict["cells"]
            if (c["model"], c["train_size"]) == (item.cell.model, item.cell.size)
        ),
        {},
    )
    parts = [
        f"---\nlibrary_name: peft\nbase_model: {note.base}\n"
        f"pipeline_tag: {_pipeline(note)}\ntags: [lora, medsweep]\n---",
        f"# {verdict.get('name', 'sweep')}: {item.name}",
        f"A LoRA adapter of `{note.base}` for {_task(note)}.",
        _section("Scores", _scores(cell, item, note, verdict, documents)),
        _section("Data", _data(cell, item, verdict, documents)),
        _section("Recipe", [f"{k}: {v}" for k, v in note.recipe.to_dict().items()]),
        *([] if note.method == "head" else [_how_to_ask(note)]),
        _section("Intended use", _use(note)),
        _section("Limits", _limits(verdict)),
        _section("Provenance", _provenance(verdict)),
    ]
    return "\n\n".join(parts) + "\n"


def _pipeline(note: Note) -> str:
    if note.method != "head":
        return "text-generation"
    return f"{'token' if note.task.kind == 'ner' else 'text'}-classification"


def _how_to_ask(note: Note) -> str:
    """The prompt that it was taught with, and the few lines that ask."""
    prompts = Prompts.of(note.task, names={}, instruction=None, as_json=note.method == "generate")
    messages = prompts.messages("{document}")
    answer = (
        "The answer is JSON."
        if note.method == "generate"
        else "The label is the one whose words, and the end of the turn behind them, are likeliest."
    )
    return "\n\n".join(
        [
            "## How to ask",
            "With the base's chat template, where its tokenizer has one, this is the user's turn:",
            f"````text\n{messages[0]['content']}\n````",
            "Without a template, the whole text:",
            f"````text\n{prompts.plain(messages)}\n````",
            f"{answer} Decode greedily (temperature 0).",
            "````python\n"
            "from peft import PeftModel\n"
            "from transformers import AutoModelForCausalLM\n\n"
            f'base = AutoModelForCausalLM.from_pretrained("{note.base}")\n'
            'model = PeftModel.from_pretrained(base, "ADAPTER")\n````',
        ]
    )


def _section(title: str, lines: list[str]) -> str:
    return f"## {title}\n\n" + "\n".join(f"- {line}" for line in lines)


def _task(note: Note) -> str:
    what = {
        "classification": "one label a document",
        "multilabel": "any number of labels a document",
        "ner": "entity spans",
    }
    fields = f", with {', '.join(note.task.attributes)}" if note.task.attributes else ""
    return f"{what[note.task.kind]}: {', '.join(note.task.labels)}{fields}"


def _scores(
    cell: Mapping[str, Any],
    item: Item,
    note: Note,
    verdict: Mapping[str, Any],
    documents: int,
) -> list[str]:
    metric = verdict.get("metric", note.task.metric)
    lines = []
    if cell:
        lines.append(
            f"{metric} on the test documents: {_number(cell['score'])}"
            f"{_interval(cell.get('ci'))}, the mean over {cell.get('draws')} draws of the "
            "training documents"
        )
        lines.append(_matches(cell, verdict))
    own = cell.get("adapter") or {}
    if own.get("draw") == item.draw:
        lines.append(
            f"this adapter (draw {item.draw}): {_number(own.get('score'))}; its difference to the "
            f"reference has the lower bound {_number(own.get('diff_lower'))}"
        )
    if note.dev_score is not None:
        lines.append(f"on the documents that chose the recipe (dev): {_number(note.dev_score)}")
    lines.append(
        f"reloaded with plain PEFT, it gave the sweep's predictions on all {documents} "
        "test documents"
    )
    return lines


def _matches(cell: Mapping[str, Any], verdict: Mapping[str, Any]) -> str:
    reference = verdict.get("reference", {})
    name = " ".join(str(reference[k]) for k in ("arm", "model") if reference.get(k))
    word = {True: "matches", False: "is not shown to match", None: "cannot be said to match"}
    return (
        f"{cell['model']} trained on {cell['train_size']} documents "
        f"{word[cell.get('non_inferior')]} the reference ({name}, "
        f"{_number(reference.get('score'))}{_interval(reference.get('ci'))}): difference "
        f"{_number(cell.get('diff'))}, lower bound {_number(cell.get('diff_lower'))}, margin "
        f"{verdict.get('margin')}, alpha {verdict.get('alpha')}"
    )


def _data(
    cell: Mapping[str, Any], item: Item, verdict: Mapping[str, Any], documents: int
) -> list[str]:
    provenance = verdict.get("provenance", {})
    folds = provenance.get("folds", 1)
    fold = f", fold {item.cell.fold} of {folds} from 0" if folds > 1 else ""
    lines = [
        f"trained on {item.cell.size} documents (draw {item.draw}{fold})",
        f"recipe and stopping chosen on {provenance.get('dev_documents', 'other')} documents",
        f"judged once on {documents} test documents",
    ]
    if folds > 1:
        lines.append(
            f"the scores above are of {folds}-fold cross-validation: each document was judged by "
            f"adapters that had not seen it, and this one judged only its own fold"
        )
    if cell.get("labels_used") is not None:
        lines.append(f"labels used in all: {cell['labels_used']}")
    return lines


def _use(note: Note) -> list[str]:
    return [
        "documents of the kind, language and institution that it was trained on",
        "research, and support of people who check its output; not a medical device",
        f"`medsweep predict ADAPTER NOTES`, or `PeftModel.from_pretrained(base, ADAPTER)` on "
        f"`{note.base}`; up to {note.recipe.max_length} tokens at once, longer documents in "
        "overlapping windows",
        *(
            [
                f"with plain transformers: num_labels={len(note.task.labels)}, problem_type="
                '"multi_label_classification"; a label applies where its logit is 0 or more'
            ]
            if note.method == "head" and note.task.kind == "multilabel"
            else []
        ),
        *(
            [
                "where transformers has no token-classification class for the base, `base` is of "
                "the class that `medsweep.models.token_head.token_classifier(config)` gives",
                "with plain transformers: tokens are those of the base's tokenizer after "
                "`medsweep.training.words.ending_at_punctuation`",
            ]
            if note.method == "head" and note.task.kind == "ner"
            else []
        ),
    ]


def _limits(verdict: Mapping[str, Any]) -> list[str]:
    return [
        "the scores hold for documents like the test documents; nothing is known of others",
        f"'matches' means: not worse by more than the margin of {verdict.get('margin')}, on "
        "average over documents; single groups of patients may fare worse",
        "scores by label are not calibrated probabilities",
        "an adapter can remember some of what it was trained on: treat it as you treat the "
        "training documents until the risk has been assessed",
    ]


def _provenance(verdict: Mapping[str, Any]) -> list[str]:
    provenance = verdict.get("provenance", {})
    versions = provenance.get("versions", {})
    return [
        f"data (SHA-256 of all documents and labels): {provenance.get('data_sha256', 'unknown')}",
        f"seed: {provenance.get('seed', 'unknown')}",
        "versions: " + (", ".join(f"{k} {v}" for k, v in versions.items()) or "unknown"),
    ]


def _number(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, (int, float)) else "unknown"


def _interval(value: Any) -> str:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return ""
    return f" ({_number(value[0])} to {_number(value[1])})"
