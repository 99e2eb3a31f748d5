import io
import time

import pytest

from medsweep.console import Heartbeat, PlainStatus, ProgressConsole, beating


def plain(
    monkeypatch: pytest.MonkeyPatch, *, quiet: bool = False
) -> tuple[ProgressConsole, io.StringIO]:
    shown = io.StringIO()
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    console = ProgressConsole(quiet=quiet)
    console.file = shown
    return console, shown


def test_in_a_pipe_each_step_is_a_line_said_when_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    console, shown = plain(monkeypatch)
    with console.status("reading [documents]") as status:
        assert shown.getvalue() == "reading [documents]\n"
        status.update("reading [documents]")
        status.update("drawing the ladder " + "x" * 200)
    console.say("done [all]")
    lines = shown.getvalue().splitlines()
    assert lines == ["reading [documents]", "drawing the ladder " + "x" * 200, "done [all]"]
    assert "\x1b" not in shown.getvalue()


def test_what_takes_long_is_said_again(monkeypatch: pytest.MonkeyPatch) -> None:
    console, shown = plain(monkeypatch)
    status = PlainStatus("waiting", console=console)
    status._beat = Heartbeat(status._still, period=0.05)
    with status:
        time.sleep(0.4)
    after = shown.getvalue()
    assert after.count("waiting: 0 s so far\n") >= 2
    time.sleep(0.15)
    assert shown.getvalue() == after


def test_quiet_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    console, shown = plain(monkeypatch, quiet=True)
    with console.status("reading") as status:
        status.update("writing")
    console.say("note")
    assert shown.getvalue() == ""


def test_a_heart_beats_while_the_body_runs_and_can_be_put_off() -> None:
    beats: list[float] = []
    with beating(lambda: beats.append(time.monotonic()), period=0.05):
        time.sleep(0.3)
    assert len(beats) >= 2
    heart = Heartbeat(lambda: beats.append(0.0), period=0.2)
    heart.start()
    for _ in range(8):
        time.sleep(0.05)
        heart.postpone()
    heart.stop()
    assert 0.0 not in beats
