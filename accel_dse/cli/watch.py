"""`accel-dse watch`."""

from typing import Annotated

import typer


def watch_command(
    log: Annotated[
        str, typer.Argument(metavar="LOG", help="A log that `optimize` writes, now or later.")
    ],
    *,
    port: Annotated[
        int,
        typer.Option(
            "--port", metavar="N", min=0, max=65535, help="Where to listen.", show_default="free"
        ),
    ] = 0,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where to listen.")
    ] = "127.0.0.1",
    public: Annotated[
        bool, typer.Option("--public", help="Let --host be one that other machines reach.")
    ] = False,
    open_browser: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
    simulate: Annotated[
        bool | None,
        typer.Option(
            "--simulate/--no-simulate",
            help="Simulate reference designs and look into the best ones.",
            show_default="if the simulator is built in",
        ),
    ] = None,
) -> None:
    """Show a search while it runs: the page of `report`, live, in a browser on this machine.

    Ctrl-C ends it; the search does not notice.
    """
    from accel_dse.cli import watching

    watching.watch(
        log, host=host, port=port, public=public, open_browser=open_browser, simulate=simulate
    )
