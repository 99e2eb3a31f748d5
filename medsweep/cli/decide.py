"""`medsweep decide`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medsweep.cli.decide_table import as_predictions, gathered, reference_of
from medsweep.errors import ConfigError, DataError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd


@click.command(
    epilog="""\b
Examples:
  medsweep decide predictions.csv --reference zero_shot:llama-70b --metric macro_f1 --margin 0.05
  medsweep decide predictions.parquet --reference tfidf --metric accuracy --margin 0.03 --out v
  medsweep decide wide.csv --reference big --metric accuracy --margin 0.05 \\
      --column gold=dx --column pred=big --column pred=small
  medsweep decide spans.jsonl --reference finetuned:large --metric span_f1 --margin 0.02 \\
      --params params.json --groups patient
"""
)
@click.argument("predictions", type=click.Path(path_type=Path))
@click.option(
    "--reference", required=True, metavar="ARM[:MODEL]", help="What the candidates must match."
)
@click.option(
    "--metric",
    required=True,
    help="macro_f1, micro_f1, accuracy (classification); micro_f1, macro_f1, exact_match "
    "(multilabel); span_f1, macro_span_f1, attribute_f1 (ner).",
)
@click.option("--margin", required=True, type=float, help="Largest loss that is still a match.")
@click.option(
    "--alpha", type=float, default=0.05, help="One-sided error rate over all cells [0.05]."
)
@click.option(
    "--params",
    type=click.Path(path_type=Path),
    help='JSON file {"MODEL": number of parameters}; names the smallest model.',
)
@click.option(
    "--absent",
    type=click.IntRange(min=0),
    default=0,
    help="Candidate models that were planned and are not in the table: they keep their share of "
    "alpha [0].",
)
@click.option(
    "--pool",
    type=click.IntRange(min=1),
    help="Labelled documents that the training sets were drawn from: draws from few overlap, and "
    "show less than new labels would.",
)
@click.option(
    "--systems",
    type=click.Choice(["all", "tuned"]),
    default="all",
    help="Judge all systems in one correction, or the tuned ones alone [all].",
)
@click.option(
    "--sensitivity/--no-sensitivity",
    default=True,
    help="Ask that the reference is better than the majority by more than the margin [yes].",
)
@click.option(
    "--groups",
    metavar="COLUMN",
    help="Column of the patient, where patients repeat [group, where there is one].",
)
@click.option(
    "--column",
    "names",
    multiple=True,
    metavar="PART=NAME",
    help="Column of a part (arm, model, train_size, draw, doc_id, gold, pred, group), such as "
    "gold=dx. pred may be named for several columns, one a model.",
)
@click.option(
    "--task",
    help="classification, multilabel or ner [what the metric belongs to; F1 is classification's].",
)
@click.option("--seed", type=int, default=0, help="Of the bootstrap [0].")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder for verdict.json, report.html and predictions.parquet; without it, print only.",
)
def command(
    predictions: Path,
    reference: str,
    metric: str,
    params: Path | None,
    groups: str | None,
    names: tuple[str, ...],
    task: str | None,
    seed: int,
    out: Path | None,
    **options: Any,
) -> None:
    """Give the verdict for predictions made by anything.

    PREDICTIONS is a .parquet, .csv or .jsonl file with the columns arm, model, train_size, draw,
    doc_id, gold, pred: one row a document and system. An arm without a model or a training size
    leaves them empty, and a table of one kind of system needs none of these. --column says where a
    column has another name; a table may have a column of answers for each model. An empty pred
    could not be parsed and is wrong. Labels of a multi-label task are JSON lists ["a", "b"], spans
    [[start, end, "type"], ...]; attributes are an object at the end of a span. Candidates are the
    finetuned rows, or else the other models of the reference's arm; other systems are judged, too.
    """
    from medsweep.cli.verdict import show
    from medsweep.stats.decide import decide

    if seed < 0:
        raise ConfigError("must be 0 or more", where="--seed")
    if out is not None and (out / "state" / "journal.jsonl").exists():
        raise ConfigError(
            "holds a sweep, whose verdict would be lost", where=str(out), fix="choose another --out"
        )
    kind = task or _kind_of(metric)
    frame, numbers = gathered(
        lambda: as_predictions(read_predictions(predictions), names, str(predictions)),
        lambda: _read_params(params) if params is not None else None,
    )
    groups = groups or ("group" if "group" in frame else None)
    arm, _, model = reference_of(reference, frame).partition(":")
    try:
        verdict = decide(
            frame,
            task=kind,
            metric=metric,
            reference={"arm": arm, "model": model or None},
            params=numbers,
            groups=groups,
            seed=seed,
            name=predictions.stem,
            provenance=_provenance(predictions, seed),
            **options,
        ).to_dict()
    except InputError as error:
        raise _placed(error, predictions) from None
    asked = {**options, "reference": reference, "metric": metric, "groups": groups, "task": kind}
    verdict["judged"] = _judged(verdict, asked)
    if out is not None:
        _write(verdict, frame, out)
    show(verdict, out)


def _kind_of(metric: str) -> str:
    """The first kind of task that has such a metric."""
    from medsweep.stats import METRICS

    kind = next((k for k, metrics in METRICS.items() if metric in metrics), None)
    if kind is None:
        known = ", ".join(m for metrics in METRICS.values() for m in metrics)
        raise ConfigError(
            f"unknown metric {metric}", where="--metric", fix=f"choose one of {known}"
        )
    return kind


def read_predictions(path: Path) -> pd.DataFrame:
    """Read a table of predictions; labels that look like gaps stay labels.

    Raises:
        DataError: the file is missing, of another kind, or cannot be parsed.
    """
    import pandas as pd

    readers: dict[str, Callable[[Path], pd.DataFrame]] = {
        ".parquet": pd.read_parquet,
        ".csv": _read_csv,
        ".jsonl": _read_jsonl,
    }
    reader = readers.get(path.suffix.lower())
    if not path.is_file():
        raise DataError("there is no such file", where=str(path))
    if reader is None:
        raise DataError(
            f"predictions cannot be read from a {path.suffix or 'file without an ending'}",
            where=str(path),
            fix="give a .parquet, .csv or .jsonl file",
        )
    try:
        frame: pd.DataFrame = reader(path)
    except InputError:
        raise
    except (OSError, ValueError, TypeError):
        # `from None`: a parser's own message may quote a value.
        raise DataError(f"cannot be read as {path.suffix[1:]}", where=str(path)) from None
    return frame


def _read_csv(path: Path) -> pd.DataFrame:
    import pandas as pd

    # Without keep_default_na=False the labels "NA" and "None" would be missing values.
    frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    for column in ("train_size", "draw"):
        if column in frame:
            frame[column] = frame[column].where(frame[column].str.strip() != "", None)
    return frame


def _read_jsonl(path: Path) -> pd.DataFrame:
    import json

    import pandas as pd

    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise DataError("is no JSON object", where=f"{path}:{number}")
        # Labels and spans may be given as lists; everywhere else they are JSON in a string.
        rows.append({k: json.dumps(v) if isinstance(v, list) else v for k, v in row.items()})
    return pd.DataFrame(rows, dtype=object)


def _read_params(path: Path) -> dict[str, int]:
    import json

    fix = 'write {"MODEL": number of parameters}'
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise ConfigError("cannot be read", where=str(path)) from None
    except ValueError:
        raise ConfigError("is not JSON", where=str(path), fix=fix) from None
    if not isinstance(found, dict):
        raise ConfigError("is no JSON object", where=str(path), fix=fix)
    for name, value in found.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value < 1e15:
            raise ConfigError("is no number of parameters", where=f"{path}: {name}", fix=fix)
    return {name: int(value) for name, value in found.items()}


def _placed(error: InputError, path: Path) -> InputError:
    """The error with the name of the file, or of the option, that it came from."""
    where = error.where or ""
    if where.startswith(("decide.", "task.", "reference")):
        option = "--" + where.split(".")[-1].replace("kind", "task")
        where = "--reference" if where.startswith("reference") else option
    else:
        where = f"{path}: {where}".removesuffix(": ") if where else str(path)
    return type(error)(error.problem, where=where, fix=error.fix)


def _provenance(path: Path, seed: int) -> dict[str, Any]:
    import hashlib
    import time
    from importlib import metadata

    return {
        "predictions": path.name,
        "predictions_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "seed": seed,
        "versions": {
            name: metadata.version(name) for name in ("medsweep", "numpy", "pandas", "scipy")
        },
        "decided": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _judged(verdict: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Which verdict on these test documents this is; the same question twice is one."""
    import hashlib
    import json

    from medsweep.record.ledger import enter_verdict

    provenance = verdict["provenance"]
    question = [provenance["predictions_sha256"], provenance["seed"], dict(asked)]
    digest = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()
    return enter_verdict(verdict["test_set"], f"decide-{digest[:16]}").to_dict()


def _write(verdict: dict[str, Any], frame: pd.DataFrame, out: Path) -> None:
    import json

    from medsweep.report import write_report
    from medsweep.stats.frame import COLUMNS, normalise

    # Predictions are about patients: for this user only.
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    groups = [c for c in ("group",) if c in frame]
    table = normalise(frame)[[*COLUMNS, *groups]]
    part = out / ".part"
    table.to_parquet(part, index=False)
    part.replace(out / "predictions.parquet")
    part.write_text(json.dumps(verdict, indent=2) + "\n", encoding="utf-8")
    part.replace(out / "verdict.json")
    write_report(verdict, table, out / "report.html")
