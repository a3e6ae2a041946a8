"""The command line: a command loads, calls and prints; everything else is the package's.

Modules come in two kinds. Those imported here declare commands, their flags and their help, and
load nothing heavy. Each imports, when its command runs, the module that does it: `search` that of
`optimize`, `searching` and `running`; `evaluation` (`simulate`), `measuring`; `results` (`report`),
`reporting`; `catalog` (`list`, `check`), `listing` and `checking`; `logs`, `log_keeping`; `work`,
`working`; `offline`, one for each of its commands.
"""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from accel_dse import __version__
from accel_dse.cli.catalog import check_command, list_command
from accel_dse.cli.compare import compare_command
from accel_dse.cli.evaluation import simulate_command
from accel_dse.cli.logs import log_app
from accel_dse.cli.offline import (
    collect_command,
    convert_command,
    export_command,
    fit_command,
    propose_command,
)
from accel_dse.cli.results import report_command
from accel_dse.cli.search import optimize_command
from accel_dse.cli.watch import watch_command
from accel_dse.cli.work import worker_command
from accel_dse.errors import DseError

app = typer.Typer(
    help="Explore the design of hardware accelerators.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        print(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """What may stand before a command."""


app.command("list")(list_command)
app.command("check")(check_command)
app.command("simulate")(simulate_command)
app.command("optimize")(optimize_command)
app.command("compare")(compare_command)
app.command("worker")(worker_command)
app.add_typer(log_app, name="log")
app.command("report")(report_command)
app.command("watch")(watch_command)
app.command("collect")(collect_command)
app.command("convert")(convert_command)
app.command("fit")(fit_command)
app.command("propose")(propose_command)
app.command("export")(export_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        0; 2 if the user can fix what is wrong; 130 if she stopped it. A bug keeps its traceback.
    """
    command = typer.main.get_command(app)
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = command.main(given or ["--help"], prog_name="accel-dse", standalone_mode=False)
    except DseError as error:
        _complain(str(error), error.hint)
        return 2
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "accel-dse"
        message = error.format_message().rstrip(".").replace("Value error, ", "")
        _complain(message, f"see `{path} --help`")
        return 2
    return int(code or 0)


def _complain(message: str, hint: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    if hint:
        print(f"hint:  {hint}", file=sys.stderr)
