"""What `accel-dse watch` does."""

import ipaddress
import webbrowser

from accel_dse.cli.remaking import lab
from accel_dse.errors import OptionError
from accel_dse.report.live import Follower, PageServer
from accel_dse.trial_log import TrialLog


def watch(
    place: str, *, host: str, port: int, public: bool, open_browser: bool, simulate: bool | None
) -> None:
    """Serves the page of the log at `place` until Ctrl-C.

    Raises:
        LogError: the log cannot be read.
        OptionError: the address is not this machine's alone, or cannot be listened at.
    """
    if not public and not loopback(host):
        raise OptionError(
            f"--host: other machines reach {host}, and whoever knows the page's address sees it",
            hint="add --public if that is wanted, or tunnel: ssh -L PORT:127.0.0.1:PORT",
        )
    log = TrialLog(place)
    with lab(log, log.study(), simulate=simulate) as found:
        follower = Follower(log, found)
        try:
            server = PageServer(follower, host, port)
        except OSError as error:
            raise OptionError(f"cannot listen at {host}:{port}: {error.strerror}") from error
        follower.start()
        print(f"{log.place}, live: {server.url}\nCtrl-C ends it", flush=True)
        if open_browser:
            webbrowser.open(server.url)
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            pass
        finally:
            server.server_close()
            follower.stop()


def loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
