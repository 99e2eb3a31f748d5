"""Which seat a trial gets."""

from typing import Any

from medsweep.sweep.pool import _Seat


def seat(models: str, trials: int) -> _Seat:
    held: dict[str, Any] = {str(n): None for n in range(trials)}
    return _Seat(None, set(models), held)


def test_a_host_that_holds_the_model_comes_first_until_it_is_two_trials_busier() -> None:
    for busy, chosen in ((0, "holds"), (1, "holds"), (2, "empty"), (3, "empty")):
        seats = {"holds": seat("a", busy), "empty": seat("", 0)}
        assert min(seats, key=lambda s: seats[s].cost_of("a")) == chosen, busy


def test_an_empty_host_comes_before_one_with_another_model() -> None:
    seats = {"other": seat("b", 0), "empty": seat("", 0)}
    assert min(seats, key=lambda s: seats[s].cost_of("a")) == "empty"


def test_a_trial_without_a_model_goes_where_least_is_done() -> None:
    seats = {"busy": seat("a", 1), "free": seat("b", 0)}
    assert min(seats, key=lambda s: seats[s].cost_of("")) == "free"
