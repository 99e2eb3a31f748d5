"""Transformers and PEFT without progress bars, warnings of intended things, and races."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# Loading a model changes defaults of torch that all threads share; two at once end on the meta
# device. A host's threads therefore load in turn.
_ONE_AT_A_TIME = threading.RLock()


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """For loading: silence, and no other load in this process meanwhile.

    A new head on an old body is what a sweep wants, not an accident to be warned of.
    """
    from transformers.utils import logging

    with _ONE_AT_A_TIME:
        level = logging.get_verbosity()
        bars = logging.is_progress_bar_enabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            yield
        finally:
            logging.set_verbosity(level)
            if bars:
                logging.enable_progress_bar()


@contextmanager
def quiet_peft() -> Iterator[None]:
    """Silence: PEFT asks transformers for a property by its former name."""
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        yield
