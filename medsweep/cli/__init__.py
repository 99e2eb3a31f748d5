"""The command line: one verb a file, imported when it is called."""

from __future__ import annotations

import atexit
import importlib
import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path

import click

from medsweep import __version__
from medsweep.errors import ExitCode, MedsweepError

# Verb (and module of this package) -> its line in `medsweep --help`, which imports none of them.
VERBS = {
    "init": "write a sweep file, or a sample corpus",
    "explain": "what a key of the sweep file means",
    "data": "convert and check corpora",
    "plan": "what a sweep would do, and what its test set can decide",
    "run": "run a sweep to its verdict",
    "status": "how far a sweep is",
    "resume": "go on with an interrupted sweep",
    "report": "the report again, or as Markdown, JSON, figures",
    "export": "hand over an adapter, checked",
    "predict": "label documents with an adapter",
    "decide": "the verdict for predictions made by anything",
    "doctor": "what this machine has and lacks",
}


class _Verbs(click.Group):
    """A group that knows its verbs by name and imports one when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"medsweep.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  medsweep init --sample smoking sample      a synthetic corpus and its sweep file
  medsweep plan sample/sweep.yaml            what it would cost, and can decide
  medsweep run sample/sweep.yaml --out runs/sample
  medsweep export runs/sample --to adapter
""",
)
@click.version_option(__version__, prog_name="medsweep")
def cli() -> None:
    """Find the smallest language model, and the fewest labels, that match a large one."""


def main() -> None:
    """Run the command line, and leave."""
    code = _run()
    # Python would take apart all that was imported, which takes a second and serves nobody.
    with suppress(Exception):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _run() -> int:
    """The one place where an error becomes one line and an exit code."""
    try:
        cli.main(prog_name="medsweep", standalone_mode=False)
    except click.exceptions.Exit as done:
        return int(done.exit_code)
    except click.ClickException as error:
        error.show()
        return int(ExitCode.BAD_INPUT)
    except (KeyboardInterrupt, click.Abort):
        click.echo("medsweep: interrupted", err=True)
        return int(ExitCode.INTERRUPTED)
    except MedsweepError as error:
        for line in str(error).splitlines():
            click.echo(f"medsweep: {line}", err=True)
        return int(error.exit_code)
    except BrokenPipeError:
        # The reader of our output has gone (`medsweep status DIR | head`).
        return int(ExitCode.DONE)
    except Exception as error:
        if os.environ.get("MEDSWEEP_DEBUG"):
            raise
        # Not the traceback: an error's own message may hold a document's text.
        place = traceback.extract_tb(error.__traceback__)[-1]
        click.echo(
            f"medsweep: a defect of medsweep: {type(error).__name__} at "
            f"{Path(place.filename).name}:{place.lineno}; please report it, with the traceback "
            "that MEDSWEEP_DEBUG=1 shows if it holds no patient's text",
            err=True,
        )
        return int(ExitCode.RUN_FAILED)
    return ExitCode.DONE
