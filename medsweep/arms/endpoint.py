"""A model behind an OpenAI-compatible server."""

from __future__ import annotations

import json
import os
import random
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPException
from threading import Lock
from typing import Any

from medsweep.arms.options import EndpointOptions
from medsweep.arms.prompts import Message, Prompts
from medsweep.arms.selection import choose
from medsweep.arms.stretches import Stretch, by_characters, said_of
from medsweep.corpus import Document
from medsweep.errors import ConfigError, RunError
from medsweep.tasks import Task
from medsweep.training._base import Prediction

_LONGEST_PAUSE_S = 60.0


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Key and documents go to the address in the sweep file, not to where it points."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


@dataclass(slots=True)
class Usage:
    """What an endpoint was asked for so far, as the server counts it."""

    requests: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    def add(self, **amounts: int) -> None:
        """Count, from any thread."""
        with self._lock:
            for name, amount in amounts.items():
                setattr(self, name, getattr(self, name) + amount)


class Endpoint:
    """Asks for JSON, at temperature 0. Documents leave this machine for the given address.

    Attributes:
        usage: requests and tokens so far.
    """

    def __init__(self, task: Task, options: EndpointOptions) -> None:
        self._task, self._options = task, options
        self.trains = options.k > 0
        self.usage = Usage()
        self._prompts = Prompts.of(
            task, names=options.names, instruction=options.instruction, as_json=True
        )
        base = options.url.rstrip("/")
        ending = "/chat/completions"
        self._url = base if base.endswith(ending) else base + ending
        self._headers = {"Content-Type": "application/json"}
        if options.api_key_env:
            key = os.environ.get(options.api_key_env)
            if not key:
                raise ConfigError(
                    f"environment variable {options.api_key_env} is not set",
                    where="arms.endpoint.options.api_key_env",
                    fix="export it where the sweep runs",
                )
            self._headers["Authorization"] = f"Bearer {key}"

    def predict(
        self, train: Sequence[Document], test: Sequence[Document], *, seed: int
    ) -> list[Prediction]:
        """Ask about each document, several at once.

        Raises:
            RunError: the server refuses, or does not answer after all retries.
        """
        options = self._options
        examples = choose(train if options.k else (), options.k, options.selection, seed)

        most = options.max_chars

        def ask(question: tuple[Document, Stretch]) -> str:
            document, part = question
            shown = [(_shortened(e.text, most), e) for e in examples(document)]
            messages = self._prompts.messages(document.text[part.begin : part.end], shown)
            return self._request(document.id, messages, seed)

        questions = [(d, part) for d in test for part in by_characters(d.text, most)]
        pool = ThreadPoolExecutor(options.concurrency)
        try:
            answers = list(pool.map(ask, questions))
        finally:
            # After a refusal the requests that wait must not be sent.
            pool.shutdown(cancel_futures=True)
        said: dict[str, list[tuple[Stretch, str]]] = {d.id: [] for d in test}
        for (document, part), answer in zip(questions, answers, strict=True):
            said[document.id].append((part, answer))
        return [said_of(d, said[d.id], self._prompts).prediction for d in test]

    def _request(self, doc_id: str, messages: Sequence[Message], seed: int) -> str:
        options = self._options
        body: dict[str, Any] = {
            "model": options.model,
            "messages": list(messages),
            "temperature": 0,
            "max_tokens": options.max_tokens,
            "seed": seed,
        }
        if options.constrained:
            answer = {"name": "answer", "strict": True, "schema": self._prompts.schema()}
            body["response_format"] = {"type": "json_schema", "json_schema": answer}
        request = urllib.request.Request(
            self._url, json.dumps(body).encode(), self._headers, method="POST"
        )
        problem = ""
        for attempt in range(options.retries + 1):
            pause = options.backoff_s * 2**attempt
            try:
                with _OPENER.open(request, timeout=options.timeout_s) as response:
                    return self._content(json.load(response))
            except urllib.error.HTTPError as error:
                with error:
                    problem = f"HTTP {error.code}"
                    if error.code not in (408, 409, 429) and error.code < 500:
                        break
                    pause = max(pause, _seconds(error.headers.get("Retry-After")))
            except (OSError, HTTPException, ValueError, LookupError, TypeError) as error:
                problem = type(error).__name__
            if attempt < options.retries:
                self.usage.add(retries=1)
                # Spread, so that requests refused together do not come back together.
                time.sleep(min(pause, _LONGEST_PAUSE_S) * random.uniform(0.75, 1.25))
        # Neither the request nor the server's words: both can hold the document.
        raise RunError(
            f"{self._url}: no answer for document {doc_id} ({problem}); check the server and "
            "options.url, model and api_key_env, then resume"
        ) from None

    def _content(self, answer: Any) -> str:
        used = answer.get("usage") or {}
        content = answer["choices"][0]["message"]["content"]
        self.usage.add(
            requests=1,
            prompt_tokens=int(used.get("prompt_tokens") or 0),
            completion_tokens=int(used.get("completion_tokens") or 0),
        )
        return content or ""


def _seconds(header: str | None) -> float:
    try:
        return max(0.0, float(header or 0))
    except ValueError:
        # A date is allowed too; the usual pause will do.
        return 0.0


def _shortened(text: str, most: int) -> str:
    """An example's beginning and end."""
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-(most // 2) :]}"
