"""A causal language model that is asked, not trained."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import takewhile
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    DynamicCache,
    GenerationConfig,
    StoppingCriteria,
    StoppingCriteriaList,
)

from medsweep.errors import ModelError
from medsweep.models import ModelFolder
from medsweep.models.attention import sight, use_plain_attention
from medsweep.models.filling import UNLOADABLE, fill_weights
from medsweep.models.precision import native_bf16
from medsweep.models.quiet import quiet_transformers
from medsweep.prompting.grammar import Grammar, mask_logits
from medsweep.prompting.tokens import PromptTokenizer

# In a batch that is scored, and in one that goes on by one token a row.
_SCORED, _GENERATED = 2048, 4096


class Decoder(PromptTokenizer):
    """Scores or writes answers to prompts, with an adapter in the model or without.

    Args:
        model: a causal language model.
        tokenizer: its own, a fast one.

    Attributes:
        context: tokens that the model takes.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        super().__init__(tokenizer)
        self._model, self._device = model, model.device
        pad = tokenizer.pad_token_id
        self._pad = int(pad if pad is not None else tokenizer.eos_token_id or 0)
        self.context = int(getattr(model.config, "max_position_embeddings", None) or 1 << 30)

    @classmethod
    def load(cls, folder: ModelFolder) -> Decoder:
        """The decoder in ``folder``, on this machine's GPU if it has one.

        Raises:
            ModelError: it is no causal language model, or its tokenizer is slow.
        """
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        # Weights in bf16 themselves: under autocast every one of the many short passes over
        # label tokens would convert all of them again.
        dtype = torch.bfloat16 if native_bf16(device) else torch.float32
        try:
            with quiet_transformers():
                tokenizer: Any = AutoTokenizer.from_pretrained(folder.path)
                # Loading in another precision changes torch's default for all threads meanwhile,
                # those that train included; converting afterwards changes nothing but the model.
                config = AutoConfig.from_pretrained(folder.path)
                model: Any = fill_weights(
                    AutoModelForCausalLM, folder, config, new_head=False
                ).model
                model.to(dtype)
        except UNLOADABLE as error:
            raise ModelError(
                f"cannot be loaded as a decoder ({type(error).__name__})",
                where=folder.reference,
                fix="use a causal language model",
            ) from None
        if not tokenizer.is_fast:
            raise ModelError(
                "its tokenizer gives no character offsets",
                where=folder.reference,
                fix="use a model with a fast tokenizer (tokenizer.json)",
            )
        model.to(device).eval().requires_grad_(False)
        use_plain_attention(model)
        return cls(model, tokenizer)

    @torch.inference_mode()
    def scores(
        self, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]
    ) -> NDArray[np.float64]:
        """Mean log-probability of each answer's tokens after each prompt, (prompts, answers).

        What all prompts begin with is computed once, each prompt's rest once for all answers,
        and the vocabulary-wide head only where an answer's token is predicted.
        """
        if getattr(self._model, "_is_stateful", False):
            return self.scores_uncached(prompts, answers)
        result = np.zeros((len(prompts), len(answers)))
        lengths = np.array([len(a) for a in answers])
        for batch in _batches([len(p) for p in prompts], _SCORED):
            result[batch] = self._score_batch([prompts[i] for i in batch], answers) / lengths
        return result

    def _score_batch(
        self, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]
    ) -> NDArray[np.float64]:
        cache, ids, mask, place = self._prefill(prompts, max(map(len, answers)))
        logits = self._next_logits(cache, ids, mask, place)
        first = logits.float().log_softmax(-1)
        columns = []
        for answer in answers:
            total = first[:, answer[0]]
            if rest := list(answer[1:]):
                steps = torch.arange(1, len(rest) + 1, device=self._device)
                inputs = torch.tensor(answer[:-1], device=self._device)
                later = self._model(
                    input_ids=inputs.expand(len(prompts), -1),
                    attention_mask=torch.cat([mask, mask.new_ones(len(prompts), len(rest))], dim=1),
                    position_ids=place[:, -1:] + steps,
                    past_key_values=cache,
                    use_cache=True,
                ).logits
                # Negative: how many tokens to forget, which all versions understand.
                cache.crop(-len(rest))
                following = later.float().log_softmax(-1)
                total = total + following[:, steps - 1, torch.tensor(rest)].sum(1)
            columns.append(total)
        return torch.stack(columns, dim=1).double().cpu().numpy()

    def _prefill(
        self, prompts: Sequence[Sequence[int]], new: int
    ) -> tuple[DynamicCache, Tensor, Tensor, Tensor]:
        """What all prompts begin with, computed once; and each one's rest, to be computed.

        Args:
            prompts: a batch.
            new: tokens that may come behind each.

        Returns:
            Keys and values, (prompts, longest rest) token ids and their positions, and the mask
            over both parts. Padding stands on the left, between what is shared and the rest, so
            that the last column is the last token of every row.
        """
        # A sliding window is measured in columns: those of padding within it would count.
        slides = max(map(len, prompts)) + new > sight(self._model.config)
        shared, cache = 0 if slides else _common_prefix(prompts), DynamicCache()
        if shared:
            ids = torch.tensor([list(prompts[0][:shared])], device=self._device)
            self._model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
            cache.batch_repeat_interleave(len(prompts))
        ids, own = self._pad_left([p[shared:] for p in prompts])
        mask = torch.cat([own.new_ones(len(prompts), shared), own], dim=1)
        return cache, ids, mask, (mask.cumsum(1) - 1)[:, shared:].clamp(min=0)

    def _next_logits(self, cache: DynamicCache, ids: Tensor, mask: Tensor, place: Tensor) -> Tensor:
        """(rows, vocabulary): logits of what follows ``ids``; keys and values are kept."""
        logits: Tensor = self._model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=place,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        return logits

    @torch.inference_mode()
    def scores_uncached(
        self, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]
    ) -> NDArray[np.float64]:
        """What :meth:`scores` gives, with nothing reused: for models without such a cache."""
        result = np.zeros((len(prompts), len(answers)))
        for row, prompt in enumerate(prompts):
            for column, answer in enumerate(answers):
                ids = torch.tensor([[*prompt, *answer]], device=self._device)
                logits = self._model(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 : -1]
                each = logits.float().log_softmax(-1)
                steps = torch.arange(len(answer), device=self._device)
                result[row, column] = float(each[steps, ids[0, len(prompt) :]].mean())
        return result

    def grammar(self, schema: Mapping[str, Any]) -> Grammar:
        """What holds answers to a JSON schema; takes a second to build.

        Raises:
            ModelError: the model has no cache that a row can be taken out of.
        """
        if self._uncached:
            raise ModelError(
                "its answers cannot be constrained",
                where=type(self._model).__name__,
                fix="leave out constrained, or use another model",
            )
        size = self._model.config.get_text_config().vocab_size
        return Grammar(schema, self._tokenizer, size, self._end_tokens())

    def generate(
        self, prompts: Sequence[Sequence[int]], limit: int, grammar: Grammar | None = None
    ) -> list[str]:
        """Greedy answers of at most ``limit`` tokens, and nothing that a ``grammar`` forbids."""
        texts = [""] * len(prompts)
        for batch in _batches([len(p) for p in prompts], _GENERATED):
            limits = [limit] * len(batch)
            answers = self.generate_batch([prompts[i] for i in batch], limits, grammar=grammar)
            for i, text in zip(batch, answers, strict=True):
                texts[i] = text
        return texts

    @torch.inference_mode()
    def generate_batch(
        self,
        prompts: Sequence[Sequence[int]],
        limits: Sequence[int],
        end_token: int | None = None,
        grammar: Grammar | None = None,
    ) -> list[str]:
        """Greedy answers to one batch, each of at most its limit of tokens.

        ``end_token`` stops one, as the model's own end of text does.
        """
        ends = self._end_tokens() | ({end_token} if end_token is not None else set())
        written = (
            self.generate_uncached(prompts, limits, ends)
            if self._uncached
            else self._generate_cached(prompts, limits, ends, grammar)
        )
        texts: list[str] = self._tokenizer.batch_decode(written, skip_special_tokens=True)
        return texts

    def _end_tokens(self) -> set[int]:
        """The model's own ends of a text."""
        config = self._model.generation_config
        tokens = config.eos_token_id if config else self._tokenizer.eos_token_id
        return {tokens} if isinstance(tokens, int) else set(tokens or [])

    @property
    def _uncached(self) -> bool:
        """Whether transformers' own loop has to write.

        Workers of a sharded model must take as many steps as each other.
        """
        return any(
            getattr(self._model, name, False)
            for name in ("_is_stateful", "_is_fsdp_managed_module")
        )

    def _generate_cached(
        self,
        prompts: Sequence[Sequence[int]],
        limits: Sequence[int],
        ends: Collection[int],
        grammar: Grammar | None = None,
    ) -> list[list[int]]:
        """Tokens of each answer without its end; rows that have ended are computed no further."""
        cache, ids, mask, place = self._prefill(prompts, max(limits))
        written: list[list[int]] = [[] for _ in prompts]
        rows = list(range(len(prompts)))
        states = [grammar.begin() for _ in rows] if grammar else []
        while rows:
            logits = self._next_logits(cache, ids, mask, place)
            if states:
                logits = mask_logits(logits, [states[r] for r in rows])
            tokens = logits.argmax(-1)
            for row, token in zip(rows, tokens.tolist(), strict=True):
                written[row].append(token)
                if states:
                    states[row].consume_token(token)
            unfinished = [
                i
                for i, row in enumerate(rows)
                if written[row][-1] not in ends and len(written[row]) < limits[row]
            ]
            ids, place = tokens[:, None], place[:, -1:] + 1
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
            if len(unfinished) < len(rows):
                rows = [rows[i] for i in unfinished]
                kept = torch.tensor(unfinished, dtype=torch.long, device=self._device)
                cache.batch_select_indices(kept)
                ids, place, mask = ids[kept], place[kept], mask[kept]
        return [row[:-1] if row[-1] in ends else row for row in written]

    @torch.inference_mode()
    def generate_uncached(
        self, prompts: Sequence[Sequence[int]], limits: Sequence[int], ends: Collection[int]
    ) -> list[list[int]]:
        """The same by transformers' own loop, in which all rows go on until the last has ended."""
        settings = GenerationConfig(
            do_sample=False,
            max_new_tokens=max(limits),
            pad_token_id=self._pad,
            eos_token_id=sorted(ends) or None,
            # Bases are loaded without a cache, because training has no use for one.
            use_cache=True,
        )
        ids, mask = self._pad_left(prompts)
        with quiet_transformers():
            output = self._model.generate(
                input_ids=ids,
                attention_mask=mask,
                generation_config=settings,
                stopping_criteria=StoppingCriteriaList([_RowLimits(ids.shape[1], limits)]),
            )
        new = output[:, ids.shape[1] :].tolist()
        return [
            list(takewhile(lambda token: token not in ends, row[:limit]))
            for row, limit in zip(new, limits, strict=True)
        ]

    def _pad_left(self, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        longest = max(map(len, rows))
        ids = torch.full((len(rows), longest), self._pad)
        mask = torch.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, longest - len(row) :] = torch.tensor(list(row))
            mask[i, longest - len(row) :] = 1
        return ids.to(self._device), mask.to(self._device)


class _RowLimits(StoppingCriteria):
    """Each row has its own number of new tokens."""

    def __init__(self, prompt: int, limits: Sequence[int]) -> None:
        self._prompt, self._limits = prompt, torch.tensor(list(limits))

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> Any:  # noqa: ARG002
        written = input_ids.shape[1] - self._prompt
        return (self._limits <= written).to(input_ids.device)


def _common_prefix(prompts: Sequence[Sequence[int]]) -> int:
    """Tokens that all prompts begin with; each keeps at least one of its own."""
    if not prompts:
        return 0
    first, last = min(map(list, prompts)), max(map(list, prompts))
    limit = min(map(len, prompts)) - 1
    return next((i for i in range(limit) if first[i] != last[i]), limit)


def _batches(lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Indices in batches of like length, within a budget of ``tokens`` with padding."""
    batches: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if batches and (len(batches[-1]) + 1) * lengths[i] <= tokens:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches
