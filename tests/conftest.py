"""For every test."""

import signal


def pytest_configure() -> None:
    """Ctrl-C reaches what the tests start, also where the suite itself was started in the background of a shell.

    A shell has its background jobs ignore SIGINT, and children inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
