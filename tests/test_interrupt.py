import signal

import pytest

from medsweep.interrupt import answered_interrupts, terminated_as_interrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_answered_before_it_interrupts(number: signal.Signals) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    answers: list[str] = []
    with answered_interrupts(lambda: answers.append("stopping")):
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(number)
    assert answers == ["stopping"]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_library_that_takes_sigterm_does_not_keep_it() -> None:
    answers: list[str] = []
    with answered_interrupts(lambda: answers.append("stopping")):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with terminated_as_interrupted(), pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    assert answers == ["stopping"]


def test_an_answer_that_cannot_be_given_does_not_keep_the_interrupt() -> None:
    def broken() -> None:
        raise RuntimeError("reentrant call")

    with answered_interrupts(broken), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
