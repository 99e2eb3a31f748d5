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
    AutoModelForCausalLM,
    AutoTokenizer,
    DynamicCache,
    GenerationConfig,
    StoppingCriteria,
    StoppingCriteriaList,
)

from medsweep.arms.grammar import Grammar, forbid
from medsweep.arms.stretches import OVERLAP, Stretch, judged
from medsweep.errors import ModelError
from medsweep.models import ModelFolder
from medsweep.models.attention import sight, use_plain_attention
from medsweep.models.quiet import quiet_transformers
from medsweep.training.precision import native_bf16

# In a batch that is scored, and in one that goes on by one token a row.
_SCORED, _WRITTEN = 2048, 4096
_CUT = " … "


class Decoder:
    """Loads a model and scores or writes answers to prompts."""

    @classmethod
    def around(cls, model: Any, tokenizer: Any) -> Decoder:
        """The same with a model that is loaded already, with an adapter in it or without."""
        decoder = cls.__new__(cls)
        decoder._hold(model, tokenizer)
        return decoder

    def __init__(self, folder: ModelFolder) -> None:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        # Weights in bf16 themselves: under autocast every one of the many short passes over
        # label tokens would convert all of them again.
        dtype = torch.bfloat16 if native_bf16(device) else torch.float32
        try:
            with quiet_transformers():
                tokenizer: Any = AutoTokenizer.from_pretrained(folder.path)
                # Loading in another precision changes torch's default for all threads meanwhile,
                # those that train included; converting afterwards changes nothing but the model.
                model: Any = AutoModelForCausalLM.from_pretrained(folder.path, dtype=torch.float32)
                model.to(dtype)
        except (ValueError, KeyError, OSError, ImportError) as error:
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
        self._hold(model, tokenizer)

    def _hold(self, model: Any, tokenizer: Any) -> None:
        self._model, self._tokenizer, self._device = model, tokenizer, model.device
        pad = self._tokenizer.pad_token_id
        self._pad = int(pad if pad is not None else self._tokenizer.eos_token_id or 0)
        self._special = [t for t in self._tokenizer.all_special_tokens if t]
        self.chat = bool(self._tokenizer.chat_template)
        self.longest = int(getattr(self._model.config, "max_position_embeddings", None) or 1 << 30)

    def prompt(self, messages: Sequence[dict[str, str]], plain: str) -> list[int]:
        """Token ids of a conversation by the chat template, or of ``plain`` without one."""
        if not self.chat:
            return list(self._tokenizer(plain, verbose=False)["input_ids"])
        text = self._tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=True
        )
        return self._ids(text)

    def label(self, name: str) -> list[int]:
        """Token ids of an answer, as it follows a prompt."""
        return self._ids(name if self.chat else f" {name}")

    def ending(self) -> int:
        """The token that ends an answer: the template's end of turn, else end of text.

        Raises:
            ModelError: the tokenizer has neither.
        """
        if self.chat:
            turn = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]
            text = str(self._tokenizer.apply_chat_template(turn, tokenize=False))
            behind = self._ids(text.rpartition("!")[2].lstrip())
            if behind and behind[0] in self._tokenizer.all_special_ids:
                return behind[0]
        if self._tokenizer.eos_token_id is None:
            raise ModelError(
                "its tokenizer has no token that ends a text",
                where=type(self._tokenizer).__name__,
                fix="use method: head, or another model",
            )
        return int(self._tokenizer.eos_token_id)

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def clip(self, text: str, tokens: int) -> str:
        """At most about ``tokens`` tokens of a text: beginning and end, where notes say most."""
        text = self._disarmed(text)
        places = self._offsets(text)
        if len(places) <= tokens:
            return text
        half = tokens // 2
        return text[: places[tokens - half - 1][1]] + _CUT + text[places[-half][0] :]

    def _offsets(self, text: str) -> list[tuple[int, int]]:
        encoded = self._tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        return [(int(a), int(b)) for a, b in encoded["offset_mapping"]]

    def stretches(self, text: str, tokens: int) -> list[Stretch]:
        """Overlapping parts of at most ``tokens`` tokens, which together are the whole text.

        They begin and end at white space, where there is some near.
        """
        places = self._offsets(text)
        shared = max(2, int(OVERLAP * tokens))
        found: list[tuple[int, int]] = []
        start = 0
        while start + tokens < len(places):
            stop = start + tokens
            # No stretch gives up more than half of what it shares, so that no gap can open.
            middle = stop - shared // 2
            space = text.rfind(" ", places[middle][0], places[stop - 1][1])
            end = space if space > 0 else places[stop - 1][1]
            found.append((places[start][0] if start else 0, end))
            words = (i for i in range(stop - shared, middle) if _new_word(text, places[i]))
            start = max(start + 1, next(words, stop - shared))
        return judged([*found, (places[start][0] if start else 0, len(text))])

    def blanked(self, text: str) -> str:
        """As long as before, without the model's control tokens, which could end the turn."""
        for token in self._special:
            text = text.replace(token, " " * len(token))
        return text

    def _disarmed(self, text: str) -> str:
        """Without the model's control tokens, which could end the user's turn."""
        for token in self._special:
            text = text.replace(token, " ")
        return text

    @torch.inference_mode()
    def scores(
        self, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]
    ) -> NDArray[np.float64]:
        """Mean log-probability of each answer's tokens after each prompt, (prompts, answers).

        What all prompts begin with is computed once, each prompt's rest once for all answers,
        and the vocabulary-wide head only where an answer's token is predicted.
        """
        if getattr(self._model, "_is_stateful", False):
            return self.scores_plainly(prompts, answers)
        result = np.zeros((len(prompts), len(answers)))
        lengths = np.array([len(a) for a in answers])
        for batch in _batches([len(p) for p in prompts], _SCORED):
            result[batch] = self._batch([prompts[i] for i in batch], answers) / lengths
        return result

    def _batch(
        self, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]
    ) -> NDArray[np.float64]:
        cache, ids, mask, place = self._begun(prompts, max(map(len, answers)))
        logits = self._next(cache, ids, mask, place)
        first = logits.float().log_softmax(-1)
        columns = []
        for answer in answers:
            total = first[:, answer[0]]
            if rest := list(answer[1:]):
                steps = torch.arange(1, len(rest) + 1, device=self._device)
                later = self._model(
                    input_ids=torch.tensor(answer[:-1], device=self._device).expand(
                        len(prompts), -1
                    ),
                    attention_mask=torch.cat([mask, mask.new_ones(len(prompts), len(rest))], dim=1),
                    position_ids=place[:, -1:] + steps,
                    past_key_values=cache,
                    use_cache=True,
                ).logits
                # Negative: how many tokens to forget, which all versions understand.
                cache.crop(-len(rest))
                chances = later.float().log_softmax(-1)
                total = total + chances[:, steps - 1, torch.tensor(rest)].sum(1)
            columns.append(total)
        return torch.stack(columns, dim=1).double().cpu().numpy()

    def _begun(
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
        shared, cache = 0 if slides else _common(prompts), DynamicCache()
        if shared:
            ids = torch.tensor([list(prompts[0][:shared])], device=self._device)
            self._model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
            cache.batch_repeat_interleave(len(prompts))
        ids, own = self._left([p[shared:] for p in prompts])
        mask = torch.cat([own.new_ones(len(prompts), shared), own], dim=1)
        return cache, ids, mask, (mask.cumsum(1) - 1)[:, shared:].clamp(min=0)

    def _next(self, cache: DynamicCache, ids: Tensor, mask: Tensor, place: Tensor) -> Tensor:
        """(rows, vocabulary): logits of what follows ``ids``; keys and values are kept."""
        found: Tensor = self._model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=place,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        return found

    @torch.inference_mode()
    def scores_plainly(
        self, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]
    ) -> NDArray[np.float64]:
        """What :meth:`scores` gives, with nothing reused: for models without such a cache."""
        result = np.zeros((len(prompts), len(answers)))
        for row, prompt in enumerate(prompts):
            for column, answer in enumerate(answers):
                ids = torch.tensor([[*prompt, *answer]], device=self._device)
                logits = self._model(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 : -1]
                chances = logits.float().log_softmax(-1)
                steps = torch.arange(len(answer), device=self._device)
                result[row, column] = float(chances[steps, ids[0, len(prompt) :]].mean())
        return result

    def grammar(self, schema: Mapping[str, Any]) -> Grammar:
        """What holds answers to a JSON schema; takes a second to build.

        Raises:
            ModelError: the model has no cache that a row can be taken out of.
        """
        if self._plainly:
            raise ModelError(
                "its answers cannot be constrained",
                where=type(self._model).__name__,
                fix="leave out constrained, or use another model",
            )
        size = self._model.config.get_text_config().vocab_size
        return Grammar(schema, self._tokenizer, size, self._ends())

    def write(
        self, prompts: Sequence[Sequence[int]], most: int, grammar: Grammar | None = None
    ) -> list[str]:
        """Greedy answers of at most ``most`` tokens; with a ``grammar`` nothing that it forbids."""
        texts = [""] * len(prompts)
        for batch in _batches([len(p) for p in prompts], _WRITTEN):
            limits = [most] * len(batch)
            written = self.write_together([prompts[i] for i in batch], limits, grammar=grammar)
            for i, text in zip(batch, written, strict=True):
                texts[i] = text
        return texts

    @torch.inference_mode()
    def write_together(
        self,
        prompts: Sequence[Sequence[int]],
        limits: Sequence[int],
        ending: int | None = None,
        grammar: Grammar | None = None,
    ) -> list[str]:
        """Greedy answers to one batch, each of at most its limit of tokens.

        ``ending`` stops one, as the model's own end of text does.
        """
        ends = self._ends() | ({ending} if ending is not None else set())
        written = (
            self.written_plainly(prompts, limits, ends)
            if self._plainly
            else self._written(prompts, limits, ends, grammar)
        )
        texts: list[str] = self._tokenizer.batch_decode(written, skip_special_tokens=True)
        return texts

    def _ends(self) -> set[int]:
        """The model's own ends of a text."""
        config = self._model.generation_config
        known = config.eos_token_id if config else self._tokenizer.eos_token_id
        return {known} if isinstance(known, int) else set(known or [])

    @property
    def _plainly(self) -> bool:
        """Whether transformers' own loop has to write.

        Workers of a sharded model must take as many steps as each other.
        """
        return any(
            getattr(self._model, name, False)
            for name in ("_is_stateful", "_is_fsdp_managed_module")
        )

    def _written(
        self,
        prompts: Sequence[Sequence[int]],
        limits: Sequence[int],
        ends: Collection[int],
        grammar: Grammar | None = None,
    ) -> list[list[int]]:
        """Tokens of each answer without its end; rows that have ended are computed no further."""
        cache, ids, mask, place = self._begun(prompts, max(limits))
        written: list[list[int]] = [[] for _ in prompts]
        rows = list(range(len(prompts)))
        states = [grammar.begin() for _ in rows] if grammar else []
        while rows:
            logits = self._next(cache, ids, mask, place)
            chosen = (forbid(logits, [states[r] for r in rows]) if states else logits).argmax(-1)
            for row, token in zip(rows, chosen.tolist(), strict=True):
                written[row].append(token)
                if states:
                    states[row].consume_token(token)
            going = [
                i
                for i, row in enumerate(rows)
                if written[row][-1] not in ends and len(written[row]) < limits[row]
            ]
            ids, place = chosen[:, None], place[:, -1:] + 1
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
            if len(going) < len(rows):
                rows = [rows[i] for i in going]
                kept = torch.tensor(going, dtype=torch.long, device=self._device)
                cache.batch_select_indices(kept)
                ids, place, mask = ids[kept], place[kept], mask[kept]
        return [row[:-1] if row[-1] in ends else row for row in written]

    @torch.inference_mode()
    def written_plainly(
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
        ids, mask = self._left(prompts)
        with quiet_transformers():
            found = self._model.generate(
                input_ids=ids,
                attention_mask=mask,
                generation_config=settings,
                stopping_criteria=StoppingCriteriaList([_Limits(ids.shape[1], limits)]),
            )
        new = found[:, ids.shape[1] :].tolist()
        return [
            list(takewhile(lambda token: token not in ends, row[:most]))
            for row, most in zip(new, limits, strict=True)
        ]

    def _left(self, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        longest = max(map(len, rows))
        ids = torch.full((len(rows), longest), self._pad)
        mask = torch.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, longest - len(row) :] = torch.tensor(list(row))
            mask[i, longest - len(row) :] = 1
        return ids.to(self._device), mask.to(self._device)


class _Limits(StoppingCriteria):
    """Each row has its own number of new tokens."""

    def __init__(self, asked: int, limits: Sequence[int]) -> None:
        self._asked, self._limits = asked, torch.tensor(list(limits))

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> Any:  # noqa: ARG002
        written = input_ids.shape[1] - self._asked
        return (self._limits <= written).to(input_ids.device)


def _new_word(text: str, place: tuple[int, int]) -> bool:
    start = place[0]
    return text[start : start + 1].isspace() or start == 0 or text[start - 1].isspace()


def _common(prompts: Sequence[Sequence[int]]) -> int:
    """Tokens that all prompts begin with; each keeps at least one of its own."""
    if not prompts:
        return 0
    first, last = min(map(list, prompts)), max(map(list, prompts))
    most = min(map(len, prompts)) - 1
    return next((i for i in range(most) if first[i] != last[i]), most)


def _batches(lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Indices in batches of like length, within a budget of ``tokens`` with padding."""
    batches: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if batches and (len(batches[-1]) + 1) * lengths[i] <= tokens:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches
