"""A LoRA search written by hand: Ray Tune, Optuna, ASHA, ``transformers.Trainer``, PEFT.

    python benchmarks/plain_tune.py JOB.json RESULT.json [--tuned]

This is what ``makespan.py`` holds medsweep against, so it uses nothing of medsweep. Without
``--tuned`` it is the script that documentation leads to: a process a trial, which loads and
tokenises for itself, the Trainer's fp32, and batches of 8 that are padded to their longest. With
it, what these libraries offer an expert: processes that are kept and hold the base, documents
tokenised once, bf16, batches of like length, larger batches for evaluation, no loggers.
The recipe (targets, schedule, learning rates, class weights) is the job's in both.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Job = Mapping[str, Any]
STOCK_BATCH = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("job", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--tuned", action="store_true")
    options = parser.parse_args()
    # Ray and Tune read these when they are imported.
    os.environ |= {"RAY_AIR_NEW_OUTPUT": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    if options.tuned:
        os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    job = json.loads(options.job.read_text())
    with tempfile.TemporaryDirectory() as folder:
        options.result.write_text(json.dumps(search(job, options.tuned, folder)))


def search(job: Job, tuned: bool, folder: str) -> dict[str, Any]:
    """The whole search; gives the best dev score, and how many epochs all trials trained."""
    import logging

    import optuna
    import ray
    from optuna.distributions import CategoricalDistribution, FloatDistribution
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.optuna import OptunaSearch

    class Scores(tune.Callback):
        def __init__(self) -> None:
            self.seen: list[float] = []

        def on_trial_result(self, *_: Any, result: Mapping[str, Any], **__: Any) -> None:
            self.seen.append(result["score"])

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    ray.init(
        num_cpus=job["cpus"],
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    low, high = job["learning_rate"]
    scores = Scores()
    trainable = (
        tune.with_parameters(train_tuned, job=job, data=encode_all(job))
        if tuned
        else tune.with_parameters(train_stock, job=job)
    )
    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        tune_config=tune.TuneConfig(
            search_alg=OptunaSearch(
                {
                    "rank": CategoricalDistribution(job["rank"]),
                    "alpha_ratio": CategoricalDistribution(job["alpha_ratio"]),
                    "learning_rate": FloatDistribution(low, high, log=True),
                },
                metric="score",
                mode="max",
                points_to_evaluate=[job["first"]],
                sampler=optuna.samplers.TPESampler(seed=job["seed"], n_startup_trials=4),
            ),
            scheduler=_asha(job, ASHAScheduler),
            num_samples=job["trials"],
            max_concurrent_trials=job["cpus"],
            reuse_actors=tuned,
        ),
        run_config=tune.RunConfig(
            name="search", storage_path=folder, verbose=0, callbacks=[scores]
        ),
    )
    failed = tuner.fit().num_errors
    ray.shutdown()
    if failed:
        raise SystemExit(f"{failed} trials failed")
    return {"score": max(scores.seen), "epochs": len(scores.seen)}


def _asha(job: Job, make: Any) -> Any:
    if job["early_stopping"] is None:
        return None
    return make(
        metric="score",
        mode="max",
        max_t=job["epochs"],
        grace_period=job["early_stopping"]["grace_period"],
        reduction_factor=job["early_stopping"]["reduction_factor"],
    )


# -- one trial ----------------------------------------------------------------------------------


def train_stock(config: dict[str, Any], job: Job) -> None:
    """A trial that does everything for itself."""
    import datasets
    from transformers import AutoTokenizer

    datasets.disable_progress_bars()
    tokenizer = AutoTokenizer.from_pretrained(job["model"])

    def prepared(part: Mapping[str, Sequence[Any]]) -> datasets.Dataset:
        whole = datasets.Dataset.from_dict(dict(part))
        encoded = whole.map(lambda rows: _encode(tokenizer, rows["text"], job), batched=True)
        return encoded.remove_columns("text")

    data = {name: prepared(job[name]) for name in ("train", "dev")}
    _train(config, job, load_model(job), tokenizer, data, {})


# What the processes of a tuned search keep from trial to trial.
_KEPT: dict[str, Any] = {}


def train_tuned(config: dict[str, Any], job: Job, data: Mapping[str, Any]) -> None:
    """A trial that finds base and documents ready."""
    from transformers import AutoTokenizer

    if not _KEPT:
        _KEPT["model"] = load_model(job, job["attention"])
        _KEPT["tokenizer"] = AutoTokenizer.from_pretrained(job["model"])
    faster = {
        "bf16": job["bf16"],
        "train_sampling_strategy": "group_by_length",
        "per_device_eval_batch_size": job["eval_batch_size"],
    }
    # PEFT changes the model that it is given.
    _train(config, job, copy.deepcopy(_KEPT["model"]), _KEPT["tokenizer"], data, faster)


def encode_all(job: Job) -> dict[str, list[dict[str, Any]]]:
    """All documents as tokens, once; dev by length, so that its batches need little padding."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(job["model"])
    data = {}
    for name in ("train", "dev"):
        columns = {**_encode(tokenizer, job[name]["text"], job), "label": job[name]["label"]}
        rows = zip(*columns.values(), strict=True)
        data[name] = [dict(zip(columns, row, strict=True)) for row in rows]
    data["dev"].sort(key=lambda row: len(row["input_ids"]))
    return data


def _encode(tokenizer: Any, texts: Sequence[str], job: Job) -> dict[str, Any]:
    return dict(tokenizer(list(texts), truncation=True, max_length=job["max_length"]))


def load_model(job: Job, attention: str = "sdpa") -> Any:
    from transformers import AutoModelForSequenceClassification
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    return AutoModelForSequenceClassification.from_pretrained(
        job["model"], num_labels=job["labels"], attn_implementation=attention
    )


def _train(
    config: Mapping[str, Any],
    job: Job,
    model: Any,
    tokenizer: Any,
    data: Mapping[str, Any],
    faster: Mapping[str, Any],
) -> None:
    """One trial: an adapter by the job's recipe, reported to Tune after every epoch."""
    from peft import LoraConfig, get_peft_model
    from ray import tune
    from transformers import DataCollatorWithPadding, TrainingArguments, set_seed

    set_seed(job["seed"])
    adapted = get_peft_model(
        model,
        LoraConfig(
            r=config["rank"],
            lora_alpha=config["rank"] * config["alpha_ratio"],
            lora_dropout=0.0,
            task_type="SEQ_CLS",
            **job["lora"],
        ),
    )
    folder = tune.get_context().get_trial_dir()
    arguments = {
        "output_dir": folder,
        "num_train_epochs": job["epochs"],
        "learning_rate": config["learning_rate"],
        "warmup_steps": job["warmup"],
        "per_device_train_batch_size": job["batch_size"],
        "per_device_eval_batch_size": STOCK_BATCH,
        "eval_strategy": "epoch",
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        "dataloader_pin_memory": False,
        "seed": job["seed"],
        **faster,
    }
    trainer_of(job)(
        model=adapted,
        args=TrainingArguments(**arguments),
        train_dataset=data["train"],
        eval_dataset=data["dev"],
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_metrics=macro_f1,
        callbacks=[reporter(folder)],
    ).train()


def trainer_of(job: Job) -> Any:
    """A Trainer with the job's class weights, and a head that learns faster than the adapter."""
    import torch
    from transformers import Trainer

    weights = torch.tensor(job["class_weights"])

    class WeightedTrainer(Trainer):
        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, **_: Any
        ) -> Any:
            labels = inputs.pop("labels")
            outputs = model(**inputs)
            losses = torch.nn.functional.cross_entropy(
                outputs.logits.float(), labels, reduction="none"
            )
            loss = (losses * weights[labels]).mean()
            return (loss, outputs) if return_outputs else loss

        def create_optimizer(self, *_: Any, **__: Any) -> Any:
            rate = self.args.learning_rate
            groups: dict[bool, list[Any]] = {True: [], False: []}
            for name, parameter in self.model.named_parameters():
                if parameter.requires_grad:
                    groups["lora_" in name].append(parameter)
            self.optimizer = torch.optim.AdamW(
                [
                    {"params": groups[True], "lr": rate},
                    {"params": groups[False], "lr": rate * job["head_lr_ratio"]},
                ],
                weight_decay=0.0,
            )
            return self.optimizer

    return WeightedTrainer


def reporter(folder: str) -> Any:
    """Tells Tune of every evaluation, and keeps the best adapter."""
    from ray import tune
    from transformers import TrainerCallback

    class Reporter(TrainerCallback):
        best = -1.0

        def on_evaluate(self, *_: Any, metrics: Any, model: Any, **__: Any) -> None:
            score = metrics["eval_macro_f1"]
            if score >= self.best:
                self.best = score
                model.save_pretrained(str(Path(folder) / "best"))
            tune.report({"score": score})

    return Reporter()


def macro_f1(evaluated: Any) -> dict[str, float]:
    """Macro-F1 over the classes that gold has."""
    from sklearn.metrics import f1_score

    gold, said = evaluated.label_ids, evaluated.predictions.argmax(axis=-1)
    score = f1_score(gold, said, labels=sorted(set(gold)), average="macro", zero_division=0)
    return {"macro_f1": float(score)}


if __name__ == "__main__":
    main()
