import threading
import warnings

import pytest
from transformers.utils import logging

from medsweep.models.quiet import quiet_peft, quiet_transformers


def test_silence_ends_with_the_load_even_if_that_fails() -> None:
    def settings() -> tuple[int, bool]:
        return logging.get_verbosity(), logging.is_progress_bar_enabled()

    def failing_load() -> None:
        with quiet_transformers():
            assert settings() == (logging.ERROR, False)
            raise KeyError

    before = settings()
    with pytest.raises(KeyError):
        failing_load()
    assert settings() == before


def test_models_are_loaded_in_turn() -> None:
    inside, together = [], []

    def load() -> None:
        with quiet_transformers(), quiet_peft():
            inside.append(1)
            together.append(len(inside))
            threading.Event().wait(0.01)
            inside.pop()

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == [1, 1, 1, 1]


def test_only_the_intended_warning_is_silenced() -> None:
    with quiet_peft():
        warnings.warn("`is_gradient_checkpointing` is deprecated", FutureWarning, stacklevel=1)
        with pytest.warns(FutureWarning, match="another"):
            warnings.warn("another", FutureWarning, stacklevel=1)
