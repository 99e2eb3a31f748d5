"""What a base model knows before any of it is tuned: frozen features, logistic regression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F  # noqa: N812 - its usual name
from transformers import AutoModel

from medsweep.arms.linear import class_probabilities, classify, labelled
from medsweep.arms.options import ProbeOptions
from medsweep.corpus import Document
from medsweep.errors import ModelError
from medsweep.models import ModelFolder
from medsweep.models.load import load_tokenizer, longest_input
from medsweep.models.quiet import quiet_transformers
from medsweep.tasks import Task, head_labels
from medsweep.training._base import Prediction
from medsweep.training.batches import by_length
from medsweep.training.encode import Encoder, Window
from medsweep.training.precision import autocast

_TOKENS_A_BATCH = 4096


class Probe:
    """Whole documents: mean-pooled, normalised embeddings of the last layer.

    NER: each word, its left and its right neighbour, a word being the mean of its tokens and a
    token the mean of all layers. What a word is lies in the lower layers, and the last one of a
    model trained for sentences has lost it; where a mention ends is told by what stands beside.

    A document's features are computed once in the life of the arm, whatever the number of
    sizes and draws, and kept in memory: they are derived from patients' texts.
    """

    trains = True

    def __init__(self, task: Task, model: ModelFolder, options: ProbeOptions) -> None:
        self._task = task
        self._labels = head_labels(task)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        try:
            with quiet_transformers():
                tokenizer = load_tokenizer(model)
                self._model = AutoModel.from_pretrained(model.path, dtype=torch.float32)
        except (ValueError, KeyError, OSError, ImportError) as error:
            raise ModelError(
                f"cannot be loaded ({type(error).__name__})",
                where=model.reference,
                fix="use a model that transformers knows",
            ) from None
        self._pad = int(tokenizer.pad_token_id)
        self._model.to(self._device).eval().requires_grad_(False)
        longest = longest_input(self._model.config, tokenizer)
        self._encoder = Encoder(tokenizer, task, self._labels, longest)
        self._length = options.max_length
        self._known: dict[str, list[tuple[Window, NDArray[np.float32]]]] = {}

    def predict(
        self,
        train: Sequence[Document],
        test: Sequence[Document],
        *,
        seed: int,  # noqa: ARG002 - lbfgs has no randomness
    ) -> list[Prediction]:
        """Fit on ``train``'s features and predict."""
        self._compute([*train, *test])
        return (self._tag if self._task.kind == "ner" else self._classify)(train, test)

    def _classify(self, train: Sequence[Document], test: Sequence[Document]) -> list[Prediction]:
        known = labelled(self._task, train)
        return classify(self._task, self._pooled(known), known, self._pooled(test), test)

    def _pooled(self, documents: Sequence[Document]) -> NDArray[np.float32]:
        """One row a document: the mean of its windows, of length 1."""
        rows = [np.mean([v for _, v in self._known[d.text]], axis=0) for d in documents]
        if not rows:
            return np.zeros((0, 1), dtype=np.float32)
        table = np.stack(rows)
        return np.asarray(table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9))

    def _tag(self, train: Sequence[Document], test: Sequence[Document]) -> list[Prediction]:
        from sklearn.preprocessing import StandardScaler

        features: list[NDArray[np.float32]] = []
        targets: list[int] = []
        for window in self._encoder.encode(train, self._length):
            if isinstance(window.target, tuple):
                features.append(self._features(train[window.document], window))
                targets += [window.target[i] for i in _first_tokens(window)]
        table = np.concatenate(features) if features else np.zeros((0, 1), dtype=np.float32)
        if not len(table):
            return [Prediction(d.id, spans=()) for d in test]
        scaler = StandardScaler().fit(table)
        windows = self._encoder.encode(test, self._length)
        parts = [self._features(test[w.document], w) for w in windows]
        asked = np.concatenate(parts) if parts else table[:0]
        found = class_probabilities(
            scaler.transform(table),
            targets,
            scaler.transform(asked) if len(asked) else asked,
            len(self._labels),
            balanced=False,
            c=0.01,
            tol=1e-3,
        ).astype(np.float32)
        logits, place = [], 0
        for window, part in zip(windows, parts, strict=True):
            scores = np.zeros((len(window.ids), len(self._labels)), dtype=np.float32)
            scores[_first_tokens(window)] = found[place : place + len(part)]
            place += len(part)
            logits.append(scores)
        return self._encoder.decode(test, windows, logits)

    def _features(self, document: Document, window: Window) -> NDArray[np.float32]:
        """(words, features) of one window."""
        # Widened here: kept so, they would take three times the memory.
        return _beside(next(v for w, v in self._known[document.text] if w.key == window.key))

    def _compute(self, documents: Sequence[Document]) -> None:
        fresh = list({d.text: d for d in documents if d.text not in self._known}.values())
        windows = self._encoder.encode(fresh, self._length)
        values: dict[int, NDArray[np.float32]] = {}
        for batch in by_length(windows, _TOKENS_A_BATCH):
            for i, states in zip(batch, self._states([windows[i] for i in batch]), strict=True):
                if self._task.kind == "ner":
                    values[i] = _words(states, windows[i])
                else:
                    values[i] = states.mean(axis=0)
        for i, window in enumerate(windows):
            self._known.setdefault(fresh[window.document].text, []).append((window, values[i]))

    @torch.inference_mode()
    def _states(self, windows: Sequence[Window]) -> list[NDArray[np.float32]]:
        longest = max(len(w.ids) for w in windows)
        ids = torch.full((len(windows), longest), self._pad)
        mask = torch.zeros_like(ids)
        for row, window in enumerate(windows):
            ids[row, : len(window.ids)] = torch.tensor(window.ids)
            mask[row, : len(window.ids)] = 1
        with autocast(self._device):
            found = self._model(
                input_ids=ids.to(self._device),
                attention_mask=mask.to(self._device),
                output_hidden_states=self._task.kind == "ner",
            )
        states = found.last_hidden_state.float()
        if self._task.kind == "ner":
            # Of one scale, or a decoder's upper layers would drown the others.
            layers = found.hidden_states
            scaled = (F.layer_norm(s.float(), s.shape[-1:]) for s in layers)
            states = sum(scaled, start=torch.zeros_like(states)) / len(layers)
        table: NDArray[np.float32] = states.cpu().numpy()
        return [table[row, : len(w.ids)] for row, w in enumerate(windows)]


def _first_tokens(window: Window) -> list[int]:
    """Positions at which a word begins in this window."""
    words = window.words
    return [i for i in range(len(words)) if words[i] >= 0 and (not i or words[i - 1] != words[i])]


def _words(states: NDArray[np.float32], window: Window) -> NDArray[np.float32]:
    """(words, width): the mean of each word's tokens."""
    first = _first_tokens(window)
    if not first:
        return states[:0]
    own = [states[window.words == window.words[i]].mean(axis=0) for i in first]
    return np.stack(own)


def _beside(words: NDArray[np.float32]) -> NDArray[np.float32]:
    """(words, 3 width): each word between its neighbours; zeros where there is none."""
    edge = np.zeros_like(words[:1])
    left = np.concatenate([edge, words[:-1]])
    right = np.concatenate([words[1:], edge])
    return np.concatenate([left, words, right], axis=1)
