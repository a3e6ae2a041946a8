"""What all tests need."""

import signal


def pytest_configure():
    """Lets Ctrl-C stop something: a shell starts jobs in the background with it ignored."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
