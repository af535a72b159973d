"""What ends a command, and with which exit code."""

from __future__ import annotations

# The exit codes, as --help gives them.
PASSED = 0
NOTHING_RAN = 1
WRONG_USAGE = 2
FAILED = 3
OUT_OF_TIME = 4
INTERRUPTED = 130


class Refused(Exception):
    """A command cannot be done; the text is one line that says why and what to do."""

    def __init__(self, why: str, code: int = NOTHING_RAN) -> None:
        super().__init__(one_line(why, 600))
        self.code = code


def one_line(text: str, most: int = 300) -> str:
    """The text without line breaks, cut where it is long."""
    words = " ".join(text.split())
    return words if len(words) <= most else words[: most - 3] + "..."
