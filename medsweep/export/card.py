"""The model card of an exported adapter. Says nothing of any one document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medsweep.export.metadata import AdapterMetadata
from medsweep.prompting.prompt import Prompts
from medsweep.record.trial import Trial


def model_card(
    trial: Trial, metadata: AdapterMetadata, verdict: Mapping[str, Any], documents: int
) -> str:
    """Markdown with the front matter that model hubs read.

    Args:
        trial: the trial that made the adapter.
        metadata: what stands beside its weights.
        verdict: of the sweep, as ``verdict.json`` holds it.
        documents: test documents that the reloaded adapter was checked on.
    """
    cell: Mapping[str, Any] = next(
        (
            c
            for c in verdict["cells"]
            if (c["model"], c["train_size"]) == (trial.cell.model, trial.cell.size)
        ),
        {},
    )
    parts = [
        f"---\nlibrary_name: peft\nbase_model: {metadata.base}\n"
        f"pipeline_tag: {_pipeline(metadata)}\ntags: [lora, medsweep]\n---",
        f"# {verdict.get('name', 'sweep')}: {trial.name}",
        f"A LoRA adapter of `{metadata.base}` for {_task(metadata)}.",
        _section("Scores", _scores(cell, trial, metadata, verdict, documents)),
        _section("Data", _data(cell, trial, verdict, documents)),
        _section("Recipe", [f"{k}: {v}" for k, v in metadata.recipe.to_dict().items()]),
        *([] if metadata.method == "head" else [_how_to_ask(metadata)]),
        _section("Intended use", _use(metadata)),
        _section("Limits", _limits(verdict)),
        _section("Provenance", _provenance(verdict)),
    ]
    return "\n\n".join(parts) + "\n"


def _pipeline(metadata: AdapterMetadata) -> str:
    if metadata.method != "head":
        return "text-generation"
    return f"{'token' if metadata.task.kind == 'ner' else 'text'}-classification"


def _how_to_ask(metadata: AdapterMetadata) -> str:
    """The prompt that it was taught with, and the few lines that ask."""
    prompts = Prompts.of(
        metadata.task, names={}, instruction=None, as_json=metadata.method == "generate"
    )
    messages = prompts.messages("{document}")
    answer = (
        "The answer is JSON."
        if metadata.method == "generate"
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
            f'base = AutoModelForCausalLM.from_pretrained("{metadata.base}")\n'
            'model = PeftModel.from_pretrained(base, "ADAPTER")\n````',
        ]
    )


def _section(title: str, lines: list[str]) -> str:
    return f"## {title}\n\n" + "\n".join(f"- {line}" for line in lines)


def _task(metadata: AdapterMetadata) -> str:
    what = {
        "classification": "one label a document",
        "multilabel": "any number of labels a document",
        "ner": "entity spans",
    }
    fields = f", with {', '.join(metadata.task.attributes)}" if metadata.task.attributes else ""
    return f"{what[metadata.task.kind]}: {', '.join(metadata.task.labels)}{fields}"


def _scores(
    cell: Mapping[str, Any],
    trial: Trial,
    metadata: AdapterMetadata,
    verdict: Mapping[str, Any],
    documents: int,
) -> list[str]:
    metric = verdict.get("metric", metadata.task.metric)
    lines = []
    if cell:
        lines.append(
            f"{metric} on the test documents: {_number(cell['score'])}"
            f"{_interval(cell.get('ci'))}, the mean over {cell.get('draws')} draws of the "
            "training documents"
        )
        lines.append(_matches(cell, verdict))
    own = cell.get("adapter") or {}
    if own.get("draw") == trial.draw:
        lines.append(
            f"this adapter (draw {trial.draw}): {_number(own.get('score'))}; its difference to the "
            f"reference has the lower bound {_number(own.get('diff_lower'))}"
        )
    if metadata.dev_score is not None:
        lines.append(f"on the documents that chose the recipe (dev): {_number(metadata.dev_score)}")
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
    cell: Mapping[str, Any], trial: Trial, verdict: Mapping[str, Any], documents: int
) -> list[str]:
    provenance = verdict.get("provenance", {})
    folds = provenance.get("folds", 1)
    fold = f", fold {trial.cell.fold} of {folds} from 0" if folds > 1 else ""
    lines = [
        f"trained on {trial.cell.size} documents (draw {trial.draw}{fold})",
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


def _use(metadata: AdapterMetadata) -> list[str]:
    return [
        "documents of the kind, language and institution that it was trained on",
        "research, and support of people who check its output; not a medical device",
        f"`medsweep predict ADAPTER NOTES`, or `PeftModel.from_pretrained(base, ADAPTER)` on "
        f"`{metadata.base}`; up to {metadata.recipe.max_length} tokens at once, longer documents "
        "in overlapping windows",
        *(
            [
                f"with plain transformers: num_labels={len(metadata.task.labels)}, problem_type="
                '"multi_label_classification"; a label applies where its logit is 0 or more'
            ]
            if metadata.method == "head" and metadata.task.kind == "multilabel"
            else []
        ),
        *(
            [
                "where transformers has no token-classification class for the base, `base` is of "
                "the class that `medsweep.models.token_head.token_classifier(config)` gives",
                "with plain transformers: tokens are those of the base's tokenizer after "
                "`medsweep.training.words.ending_at_punctuation`",
            ]
            if metadata.method == "head" and metadata.task.kind == "ner"
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
