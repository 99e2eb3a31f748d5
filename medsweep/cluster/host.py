"""A host: the Ray actor that holds frozen bases on one accelerator and trains adapters on them."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from medsweep.errors import MedsweepError
from medsweep.plan.plan import Workload
from medsweep.record.trial import Cell, Trial
from medsweep.tasks.prediction import Prediction
from medsweep.training.engines._base import Engine
from medsweep.training.memory import release
from medsweep.training.recipe import Recipe, TrialError

if TYPE_CHECKING:
    from medsweep.models import ModelFolder
    from medsweep.tasks import Task


class Unforeseen(TrialError):
    """An error that medsweep did not raise itself."""


class Host:
    """Loads bases on demand and serves trials; one trial is one slot of one engine.

    Every method turns whatever goes wrong into a :class:`TrialError` that names the kind of
    error and its place in the code only: an error's own message could hold a document's text,
    unless it is one of medsweep's, which never do.
    """

    def __init__(self, workload: Workload, threads: int) -> None:
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        import torch

        # Imported before the first call: transformers imports its parts when they are asked for,
        # and two threads that ask at once find one of them half made.
        import medsweep.prompting.decoder
        import medsweep.training.engines.shared  # noqa: F401

        torch.set_num_threads(threads)
        self._work = workload
        self._engines: dict[str, Engine] = {}
        self._base_bytes: dict[str, int] = {}
        self._loading = threading.Lock()
        # Derived from patients' texts: for this user only, gone with the host.
        self._scratch = Path(tempfile.mkdtemp(prefix="medsweep-"))

    def load(self, model: str) -> None:
        """Load a base now rather than with its first trial."""
        with _only_place():
            self._engine(model)

    def close(self) -> None:
        """Remove what was spilled to disk."""
        self._engines.clear()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def attach(self, trial: Trial, state: bytes | None) -> None:
        """Open a slot for a trial, fresh or from a saved state."""
        with _only_place():
            fold = self._work.folds[trial.cell.fold]
            self._engine(trial.cell.model).attach(
                trial.name,
                Recipe.from_dict(trial.recipe),
                self._work.train(trial.cell, trial.draw),
                fold.dev,
                state,
            )

    def advance(self, trial: Trial) -> tuple[dict[str, Any], bytes]:
        """Train to the next evaluation; gives that point and the state behind it."""
        with _only_place():
            engine = self._engine(trial.cell.model)
            point = engine.advance(trial.name)
            release()
            values = {
                "iteration": point.iteration,
                "score": float(point.metrics[self._work.metric]),
                "train_loss": float(point.train_loss),
                "step": point.step,
                "epoch": point.epoch,
                "tokens": point.tokens,
                "seconds": point.seconds,
                "finished": point.done,
                **{f"dev_{k}": float(v) for k, v in point.metrics.items()},
            }
            return values, engine.state(trial.name)

    def judge(self, trial: Trial, folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Save the trial's best adapter and predict its fold's test documents, once.

        Returns:
            The predictions, and what they took: ``seconds_per_document`` (the mean, in batches,
            on this host beside whatever else it does), ``weights_bytes`` (base as loaded, and
            adapter), ``device`` and ``threads``.
        """
        with _only_place():
            engine = self._engine(trial.cell.model)
            engine.save(trial.name, folder)
            test = self._work.folds[trial.cell.fold].test
            rows = self._rows(engine.predict(trial.name, test), trial.cell.size, trial.draw)
            release()
            return rows, {
                "seconds_per_document": engine.predicting[trial.name] / max(1, len(test)),
                "weights_bytes": self._base_bytes[trial.cell.model]
                + sum(f.stat().st_size for f in folder.glob("*.safetensors")),
                **_device(),
            }

    def arm(self, trial: Trial) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Predict the test documents with another arm: at every size and draw if it learns.

        It learns from the labels that the tuned cell of its size and draw spends: training and
        dev documents.

        Returns:
            The predictions; and for a reference that candidates are compared with on dev one point
            with its mean score there, at the largest size.
        """
        from medsweep.arms import make_arm

        with _only_place():
            assert trial.arm is not None
            work, task = self._work, self._task()
            wanted = work.arms[trial.arm]
            folder = self._folder(trial.cell.model) if wanted.model else None
            arm = make_arm(wanted.arm, task, model=folder, options=wanted.options)
            rows: list[dict[str, Any]] = []
            scores: list[float] = []
            for number, fold in enumerate(work.folds):
                steps = (
                    [(s, d) for s in work.sizes for d in range(work.draws)]
                    if arm.trains
                    else [(work.sizes[-1], 0)]
                )
                for size, draw in steps:
                    compared = work.reference_on_dev and trial.arm == 0 and size == work.sizes[-1]
                    train = work.train(Cell(trial.cell.model, size, number), draw)
                    # A tuned cell spends the labels of dev, too, on choosing.
                    spent = [*train, *fold.dev]
                    found = arm.predict(spent, fold.test, seed=work.seed + draw)
                    rows += self._rows(found, size if arm.trains else 0, draw)
                    if compared:
                        asked = [d.without_gold() for d in fold.dev]
                        found = arm.predict(train, asked, seed=work.seed + draw)
                        gold, values = map(task.gold, fold.dev), [task.value(p) for p in found]
                        scores.append(task.score(list(gold), values)[work.metric])
            del arm
            release()
            points = [{"iteration": 1, "step": 0, "score": fmean(scores)}] if scores else []
            return rows, points

    def detach(self, trial: Trial) -> None:
        """Forget a trial; unknown ones are ignored."""
        if engine := self._engines.get(trial.cell.model):
            engine.detach(trial.name)

    def _rows(
        self, predictions: Sequence[Prediction], size: int, draw: int
    ) -> list[dict[str, Any]]:
        task = self._task()
        return [
            {
                "train_size": size,
                "draw": draw,
                "doc_id": p.doc_id,
                "pred": task.value(p),
                "score": max(p.scores.values(), default=None),
                **{name: True for name in ("salvaged", "cut") if getattr(p, name)},
            }
            for p in predictions
        ]

    def _task(self) -> Task:
        from medsweep.tasks import make_task

        work = self._work
        return make_task(work.kind, work.labels, work.metric, work.attributes)

    def _folder(self, model: str) -> ModelFolder:
        from medsweep.models import resolve

        return resolve(self._work.models[model].id)

    def _engine(self, model: str) -> Engine:
        with self._loading:
            if model not in self._engines:
                self._engines[model] = self._make_engine(model)
            return self._engines[model]

    def _make_engine(self, model: str) -> Engine:
        from medsweep.models.load import load_base
        from medsweep.training import make_engine

        task, wanted = self._task(), self._work.models[model]
        how: dict[str, Any] = {
            "method": self._work.methods.get(model, "head"),
            "trust_remote_code": wanted.trust_remote_code,
        }
        if wanted.devices > 1:
            from medsweep.training.engines.sharded import ShardedEngine, load_sharded

            base = load_sharded(self._folder(model), task, **how)
        else:
            base = load_base(self._folder(model), task, **how)
        self._base_bytes[model] = sum(p.numel() * p.element_size() for p in base.model.parameters())
        if wanted.devices > 1:
            return ShardedEngine(base, task)
        return make_engine(self._work.engine, base, task, scratch=self._scratch)


def _device() -> dict[str, Any]:
    import torch

    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return {"device": name, "threads": torch.get_num_threads()}


class _only_place:  # noqa: N801 - reads as a clause of a `with`
    """Replace any error by its kind and place."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: Any, tb: Any) -> None:
        if error is None or isinstance(error, TrialError) or not isinstance(error, Exception):
            return
        if isinstance(error, MedsweepError):
            raise TrialError(str(error)) from None
        frames = [f for f in traceback.extract_tb(tb) if "medsweep" in f.filename]
        frame = (frames or traceback.extract_tb(tb))[-1]
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        raise Unforeseen(f"{type(error).__name__} at {place}") from None
