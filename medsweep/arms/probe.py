"""What a base model knows before any of it is tuned: frozen features, logistic regression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medsweep.arms._base import ArmOptions, Tokens
from medsweep.arms.linear import LinearArm, class_probabilities, classify, labelled
from medsweep.corpus import Document
from medsweep.models import ModelFolder
from medsweep.tasks import Task, head_labels
from medsweep.tasks.prediction import Prediction


class ProbeOptions(ArmOptions):
    """A linear model on a candidate's frozen embeddings."""

    max_length: Tokens = 512
    """Tokens a window; a longer document is the mean of its windows."""


class Probe(LinearArm):
    """Whole documents: mean-pooled, normalised embeddings of the last layer.

    NER: each word, its left and its right neighbour, a word being the mean of its tokens and a
    token the mean of all layers. What a word is lies in the lower layers, and the last one of a
    model trained for sentences has lost it; where a mention ends is told by what stands beside.

    A document's features are computed once in the life of the arm, whatever the number of
    sizes and draws, and kept in memory.
    """

    def __init__(self, task: Task, options: ProbeOptions, model: ModelFolder) -> None:
        from medsweep.arms.embedding import Embedder

        super().__init__(task, options)
        self._labels = head_labels(task)
        self._embedder = Embedder(model, task, options.max_length)

    def predict(
        self, train: Sequence[Document], test: Sequence[Document], *, seed: int
    ) -> list[Prediction]:
        """Fit on ``train``'s features and predict."""
        self._embedder.compute([*train, *test])
        return super().predict(train, test, seed=seed)

    def _classify(self, train: Sequence[Document], test: Sequence[Document]) -> list[Prediction]:
        train, features = labelled(self._task, train), self._embedder.document_features
        return classify(self._task, train, features(train), test, features(test))

    def _tag(self, train: Sequence[Document], test: Sequence[Document]) -> list[Prediction]:
        from sklearn.preprocessing import StandardScaler

        from medsweep.arms.embedding import first_tokens

        features: list[NDArray[np.float32]] = []
        targets: list[int] = []
        for window in self._embedder.windows(train):
            if isinstance(window.target, tuple):
                features.append(self._embedder.word_features(train[window.document], window))
                targets += [window.target[i] for i in first_tokens(window)]
        table = np.concatenate(features) if features else np.zeros((0, 1), dtype=np.float32)
        if not len(table):
            return [Prediction(d.id, spans=()) for d in test]
        scaler = StandardScaler().fit(table)
        windows = self._embedder.windows(test)
        parts = [self._embedder.word_features(test[w.document], w) for w in windows]
        test_table = np.concatenate(parts) if parts else table[:0]
        probabilities = class_probabilities(
            scaler.transform(table),
            targets,
            scaler.transform(test_table) if len(test_table) else test_table,
            len(self._labels),
            balanced=False,
            c=0.01,
            tol=1e-3,
        ).astype(np.float32)
        scores, place = [], 0
        for window, part in zip(windows, parts, strict=True):
            of_tokens = np.zeros((len(window.ids), len(self._labels)), dtype=np.float32)
            of_tokens[first_tokens(window)] = probabilities[place : place + len(part)]
            place += len(part)
            scores.append(of_tokens)
        return self._embedder.encoder.decode(test, windows, scores)
