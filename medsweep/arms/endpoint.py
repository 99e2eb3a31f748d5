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
from http.client import HTTPException
from typing import Annotated, Any

from pydantic import Field, StrictBool, StrictInt

from medsweep.arms._base import Count
from medsweep.arms.prompted import PromptOptions, Question, joined_predictions
from medsweep.arms.selection import Selection, example_selector
from medsweep.corpus import Document
from medsweep.errors import ConfigError, RunError
from medsweep.prompting.limit import answer_limit, longest_answer
from medsweep.prompting.prompt import Message
from medsweep.prompting.window import character_windows
from medsweep.tasks import Task, TaskKind
from medsweep.tasks.prediction import Prediction

_LONGEST_PAUSE_S = 60.0
# JSON with names, doses and brackets has fewer characters a token than prose.
_BYTES_A_TOKEN = 2
_LEAST_TOKENS = 1024


class EndpointOptions(PromptOptions):
    """An OpenAI-compatible server. Documents leave this machine for its url."""

    url: Annotated[str, Field(pattern=r"^https?://[^/\s]+")]
    """Base address, such as http://localhost:8000/v1."""
    model: str
    """What the server calls the model."""
    api_key_env: str | None = None
    """Environment variable that holds the key."""
    concurrency: Count = 4
    """Requests under way at once."""
    retries: Annotated[StrictInt, Field(ge=0)] = 4
    """Attempts after the first, for refused connections, time-outs, 429 and 5xx."""
    timeout_s: Annotated[float, Field(gt=0)] = 60.0
    """Seconds that one attempt may take."""
    backoff_s: Annotated[float, Field(ge=0)] = 1.0
    """Seconds before the first retry; doubled for each further one."""
    k: Annotated[StrictInt, Field(ge=0)] = 0
    """Examples a prompt."""
    selection: Selection = "random"
    """Of examples, as for few_shot."""
    max_chars: Annotated[StrictInt, Field(ge=100)] = 24_000
    """Characters of a window; a longer document is asked about in several that overlap, and their
    answers are joined."""
    max_tokens: Count | None = None
    """Tokens of an answer [half more than the longest right answer to one of the training documents
    could have, one for two bytes, and 32; at least 1024]."""
    constrained: StrictBool = False
    """Whether the server is told the answer's JSON schema, as `response_format`; vLLM, llama.cpp
    and Ollama hold to it."""

    def check(self, kind: TaskKind, labels: Sequence[str] | None, where: str) -> None:
        """The key must be in the environment."""
        super().check(kind, labels, where)
        if self.api_key_env and not self.key():
            raise ConfigError(
                f"environment variable {self.api_key_env} is not set",
                where=f"{where}.api_key_env",
                fix="export it where the sweep runs",
            )

    def key(self) -> str:
        """The server's key, ``""`` where there is none."""
        return os.environ.get(self.api_key_env, "") if self.api_key_env else ""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Key and documents go to the address in the sweep file, not to where it points."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


class Endpoint:
    """Asks for JSON, at temperature 0. Documents leave this machine for the given address."""

    def __init__(self, task: Task, options: EndpointOptions) -> None:
        self._options = options
        self.trains = options.k > 0
        self._prompts = options.prompts(task, as_json=True)
        base = options.url.rstrip("/")
        route = "/chat/completions"
        self._url = base if base.endswith(route) else base + route
        self._headers = {"Content-Type": "application/json"}
        if options.api_key_env:
            key = options.key()
            self._headers["Authorization"] = f"Bearer {key}"

    def predict(
        self, train: Sequence[Document], test: Sequence[Document], *, seed: int
    ) -> list[Prediction]:
        """Ask about each document, several at once.

        Raises:
            RunError: the server refuses, or does not answer after all retries.
        """
        options = self._options
        labelled = train if options.k else ()
        selector = example_selector(labelled, options.k, options.selection, seed)
        size = options.max_chars
        limit = options.max_tokens or self._limit(train, size)
        cut: set[str] = set()

        def answer(question: Question) -> str:
            document, window = question
            examples = [(_clipped(e.text, size), e) for e in selector(document)]
            text = document.text[window.start : window.end]
            messages = self._prompts.messages(text, examples)
            said, ended = self._request(document.id, messages, seed, limit)
            if not ended:
                cut.add(document.id)
            return said

        questions = [(d, window) for d in test for window in character_windows(d.text, size)]
        pool = ThreadPoolExecutor(options.concurrency)
        try:
            answers = list(pool.map(answer, questions))
        finally:
            # After a refusal the requests that wait must not be sent.
            pool.shutdown(cancel_futures=True)
        return joined_predictions(test, questions, answers, self._prompts, cut)

    def _limit(self, train: Sequence[Document], size: int) -> int:
        """Tokens of an answer by a tokenizer that only the server knows."""
        longest = longest_answer(
            self._prompts,
            train,
            lambda text: character_windows(text, size),
            lambda answer: -(-len(answer.encode("utf-8", "surrogatepass")) // _BYTES_A_TOKEN),
        )
        return max(_LEAST_TOKENS, answer_limit(longest))

    def _request(
        self, doc_id: str, messages: Sequence[Message], seed: int, limit: int
    ) -> tuple[str, bool]:
        """What is answered, and whether that had come to its end."""
        options = self._options
        body: dict[str, Any] = {
            "model": options.model,
            "messages": list(messages),
            "temperature": 0,
            "max_tokens": limit,
            "seed": seed,
        }
        if options.constrained:
            schema = {"name": "answer", "strict": True, "schema": self._prompts.schema()}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        request = urllib.request.Request(
            self._url, json.dumps(body).encode(), self._headers, method="POST"
        )
        problem = ""
        for attempt in range(options.retries + 1):
            pause = options.backoff_s * 2**attempt
            try:
                with _OPENER.open(request, timeout=options.timeout_s) as response:
                    choice = json.load(response)["choices"][0]
                    ended = choice.get("finish_reason") != "length"
                    return choice["message"]["content"] or "", ended
            except urllib.error.HTTPError as error:
                with error:
                    problem = f"HTTP {error.code}"
                    if error.code not in (408, 409, 429) and error.code < 500:
                        break
                    pause = max(pause, _seconds(error.headers.get("Retry-After")))
            except (OSError, HTTPException, ValueError, LookupError, TypeError) as error:
                problem = type(error).__name__
            if attempt < options.retries:
                # Spread, so that requests refused together do not come back together.
                time.sleep(min(pause, _LONGEST_PAUSE_S) * random.uniform(0.75, 1.25))
        # Neither the request nor the server's words: both can hold the document.
        raise RunError(
            f"{self._url}: no answer for document {doc_id} ({problem}); check the server and "
            "options.url, model and api_key_env, then resume"
        ) from None


def _seconds(header: str | None) -> float:
    try:
        return max(0.0, float(header or 0))
    except ValueError:
        # A date is allowed too; the usual pause will do.
        return 0.0


def _clipped(text: str, size: int) -> str:
    """An example's beginning and end."""
    return text if len(text) <= size else f"{text[: size // 2]} … {text[-(size // 2) :]}"
