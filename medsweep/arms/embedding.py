"""Frozen features of a base model, of whole documents and of their words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F  # noqa: N812 - its usual name
from transformers import AutoConfig, AutoModel

from medsweep.corpus import Document
from medsweep.errors import ModelError
from medsweep.models import ModelFolder
from medsweep.models.filling import UNLOADABLE, fill_weights
from medsweep.models.precision import autocast
from medsweep.models.quiet import quiet_transformers
from medsweep.models.tokenizer import load_tokenizer, longest_input
from medsweep.tasks import Task, head_labels
from medsweep.training.batches import by_length
from medsweep.training.encode import Encoder, Window

_TOKENS_A_BATCH = 4096
Features = NDArray[np.float32]


class Embedder:
    """Features of documents, each computed once and kept: they are derived from patients' texts.

    Args:
        model: any that transformers knows.
        task: with mentions, words are kept; else the mean of a window's tokens.
        length: tokens a window.

    Attributes:
        encoder: of documents into windows, and of what is said of windows into predictions.

    Raises:
        ModelError: the model cannot be loaded.
    """

    def __init__(self, model: ModelFolder, task: Task, length: int) -> None:
        self._by_word = task.kind == "ner"
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        try:
            with quiet_transformers():
                tokenizer = load_tokenizer(model)
                config = AutoConfig.from_pretrained(model.path)
                self._model = fill_weights(AutoModel, model, config).model
        except UNLOADABLE as error:
            raise ModelError(
                f"cannot be loaded ({type(error).__name__})",
                where=model.reference,
                fix="use a model that transformers knows",
            ) from None
        self._pad = int(tokenizer.pad_token_id)
        self._model.to(self._device).eval().requires_grad_(False)
        longest = longest_input(self._model.config, tokenizer)
        self.encoder = Encoder(tokenizer, task, head_labels(task), longest)
        self._length = length
        self._cache: dict[str, list[tuple[Window, Features]]] = {}

    def windows(self, documents: Sequence[Document]) -> list[Window]:
        """The windows of ``documents``."""
        return self.encoder.encode(documents, self._length)

    def compute(self, documents: Sequence[Document]) -> None:
        """Compute the features of ``documents`` that are not there yet."""
        fresh = list({d.text: d for d in documents if d.text not in self._cache}.values())
        windows = self.windows(fresh)
        values: dict[int, Features] = {}
        for batch in by_length(windows, _TOKENS_A_BATCH):
            for i, states in zip(batch, self._states([windows[i] for i in batch]), strict=True):
                values[i] = word_means(states, windows[i]) if self._by_word else states.mean(axis=0)
        for i, window in enumerate(windows):
            self._cache.setdefault(fresh[window.document].text, []).append((window, values[i]))

    def document_features(self, documents: Sequence[Document]) -> Features:
        """(documents, width): the mean of each document's windows, of length 1."""
        rows = [np.mean([v for _, v in self._cache[d.text]], axis=0) for d in documents]
        if not rows:
            return np.zeros((0, 1), dtype=np.float32)
        table = np.stack(rows)
        return np.asarray(table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9))

    def word_features(self, document: Document, window: Window) -> Features:
        """(words, 3 width): those of one window, each between its neighbours."""
        # Widened here: kept so, they would take three times the memory.
        return with_neighbours(
            next(v for w, v in self._cache[document.text] if w.key == window.key)
        )

    @torch.inference_mode()
    def _states(self, windows: Sequence[Window]) -> list[Features]:
        """Of each window (tokens, width): the last layer, or for words the mean of all layers."""
        longest = max(len(w.ids) for w in windows)
        ids = torch.full((len(windows), longest), self._pad)
        mask = torch.zeros_like(ids)
        for row, window in enumerate(windows):
            ids[row, : len(window.ids)] = torch.tensor(window.ids)
            mask[row, : len(window.ids)] = 1
        with autocast(self._device):
            output = self._model(
                input_ids=ids.to(self._device),
                attention_mask=mask.to(self._device),
                output_hidden_states=self._by_word,
            )
        states = output.last_hidden_state.float()
        if self._by_word:
            # Of one scale, or a decoder's upper layers would drown the others.
            layers = output.hidden_states
            scaled = (F.layer_norm(s.float(), s.shape[-1:]) for s in layers)
            states = sum(scaled, start=torch.zeros_like(states)) / len(layers)
        table: Features = states.cpu().numpy()
        return [table[row, : len(w.ids)] for row, w in enumerate(windows)]


def first_tokens(window: Window) -> list[int]:
    """Positions at which a word begins in this window."""
    words = window.words
    return [i for i in range(len(words)) if words[i] >= 0 and (not i or words[i - 1] != words[i])]


def word_means(states: Features, window: Window) -> Features:
    """(words, width): the mean of each word's tokens."""
    first = first_tokens(window)
    if not first:
        return states[:0]
    means = [states[window.words == window.words[i]].mean(axis=0) for i in first]
    return np.stack(means)


def with_neighbours(words: Features) -> Features:
    """(words, 3 width): each word between its neighbours; zeros where there is none."""
    edge = np.zeros_like(words[:1])
    left = np.concatenate([edge, words[:-1]])
    right = np.concatenate([words[1:], edge])
    return np.concatenate([left, words, right], axis=1)
