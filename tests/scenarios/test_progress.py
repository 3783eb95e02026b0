"""Who pulls at a terminal sees a bar grow; a log gets none of it."""

import io

from machined.progress import PullBar, bar
from talos.extensions.pull import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_is_as_full_as_what_is_done() -> None:
    assert bar(0, 0) == bar(0, 10) == "░" * 24
    assert bar(5, 10) == "█" * 12 + "░" * 12
    assert bar(10, 10) == "█" * 24


def test_a_terminal_shows_all_pulls_in_one_line_that_goes_at_the_end() -> None:
    terminal = Terminal()
    pulls = PullBar(3, terminal)

    pulls.show("one", Progress(500_000, 1_000_000))
    pulls.show("two", Progress(500_000, 3_000_000))
    pulls.end()

    lines = terminal.getvalue().split("\r")
    assert lines[2] == "██████░░░░░░░░░░░░░░░░░░ 1.0 of 4.0 MB, 2 of 3 images\x1b[K"
    assert lines[-1] == "\x1b[K"


def test_a_log_gets_nothing() -> None:
    log = io.StringIO()
    pulls = PullBar(1, log)

    pulls.show("one", Progress(1, 2))
    pulls.end()

    assert log.getvalue() == ""
