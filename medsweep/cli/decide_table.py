"""Tables of predictions as others have them: columns of other names, a column a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from medsweep.errors import ConfigError, DataError, InputError, InputErrors

if TYPE_CHECKING:
    import pandas as pd

PARTS = ("arm", "model", "train_size", "draw", "doc_id", "gold", "pred", "group")
# What stands for an arm where a table names none.
IMPORTED = "predictions"
# Other usual names, taken where a table has no column of a part's own name.
_USUAL = {"doc_id": ("id", "document_id", "note_id"), "gold": ("label", "labels", "entities")}


def gathered(*steps: Callable[[], Any]) -> list[Any]:
    """What each step gives.

    Raises:
        InputErrors: what several of them find wrong, all at once.
    """
    results, problems = list[Any](), list[InputError]()
    for step in steps:
        try:
            results.append(step())
        except InputErrors as errors:
            problems += errors.problems
        except InputError as error:
            problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise InputErrors(problems)
    return results


def as_predictions(frame: pd.DataFrame, names: Sequence[str], where: str) -> pd.DataFrame:
    """A table with a row a document and system, of one whose columns have other names.

    ``names`` are ``PART=NAME``. Where several columns are named for ``pred``, or neither ``arm``
    nor ``pred`` is there, each of these, or each that is left, holds the answers of one model: the
    arm is then ``predictions``, and the model the column's name. An absent ``arm`` is
    ``predictions``, absent training sizes and draws are 0.

    Raises:
        InputErrors: columns that do not exist or are missing, all of them.
    """
    columns = _named(names, list(frame.columns), where)
    preds = [name for part, name in columns if part == "pred"]
    single = {part: name for part, name in columns if part != "pred" or len(preds) == 1}
    table = frame.rename(columns={name: part for part, name in single.items()})
    for part, usual in _USUAL.items():
        found = [name for name in usual if name in table and part not in table]
        if found:
            table = table.rename(columns={found[0]: part})
    if "pred" not in table and "arm" not in table and not preds:
        preds = [str(c) for c in table.columns if c not in PARTS]
    missing = [part for part in ("doc_id", "gold") if part not in table]
    if "pred" not in table and not preds:
        missing.append("pred")
    if missing:
        raise DataError(
            f"predictions lack the column {', '.join(missing)}",
            where=where,
            fix=f"name them, such as --column {missing[0]}=NAME",
        )
    if len(preds) > 1 or (preds and "pred" not in table):
        kept = [c for c in table.columns if c in PARTS]
        table = table.melt(kept, preds, var_name="_column", value_name="pred")
        table["model"] = table.pop("_column")
    if "arm" not in table:
        table["arm"] = IMPORTED
    if "model" not in table:
        table["model"] = ""
    for part in ("train_size", "draw"):
        if part not in table:
            table[part] = 0
    return table


def reference_of(reference: str, table: pd.DataFrame) -> str:
    """``ARM[:MODEL]``; a model's name alone will do where the table names no arms."""
    arms = {str(a) for a in table["arm"].unique()}
    models = {str(m) for m in table["model"].unique()}
    alone = arms == {IMPORTED} and reference in models and reference not in arms
    return f"{IMPORTED}:{reference}" if alone else reference


def _named(names: Sequence[str], present: list[Any], where: str) -> list[tuple[str, str]]:
    problems, columns = list[InputError](), list[tuple[str, str]]()
    for name in names:
        part, _, column = name.partition("=")
        if part not in PARTS or not column:
            problems.append(
                ConfigError(
                    f"{part!r} is not PART=NAME",
                    where="--column",
                    fix=f"write one of {', '.join(PARTS)}, =, and its column",
                )
            )
        elif column not in present:
            problems.append(_missing(part, present, where, column))
        elif part != "pred" and part in dict(columns):
            problems.append(
                ConfigError(f"{part} is named twice", where="--column", fix="name it once")
            )
        else:
            columns.append((part, column))
    if problems:
        raise _errors(problems)
    return columns


def _missing(part: str, present: list[Any], where: str, column: str) -> DataError:
    import difflib

    known = [str(c) for c in present if len(str(c)) <= 40 and str(c).isprintable()][:20]
    near = difflib.get_close_matches(column, known, 1, 0.6)
    return DataError(
        f"there is no column {column} for {part}",
        where=where,
        fix=f"name it: --column {part}={near[0] if near else 'NAME'} (columns: {', '.join(known)})",
    )


def _errors(problems: Sequence[InputError]) -> InputErrors | InputError:
    return problems[0] if len(problems) == 1 else InputErrors(problems)
