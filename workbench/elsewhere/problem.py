"""What is wrong with a file that was made elsewhere, and the error that names each such file."""

from collections.abc import Sequence
from dataclasses import dataclass

TOLD_AT_ONCE = 20  # so many problems are listed in one error


@dataclass(frozen=True)
class Problem:
    """What is wrong with one file. ``why`` is the rest of a sentence that begins with its name."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name} {self.why}"


class Refused(ValueError):
    """Files that can't be imported; nothing was. ``problems`` names each file, the text lists them.

    ``between``: what stands between a file's name and what is wrong with it.
    """

    between = " "

    def __init__(self, text: str = "", problems: Sequence[Problem] = ()) -> None:
        few = [f"{problem.name}{self.between}{problem.why}" for problem in problems[:TOLD_AT_ONCE]]
        more = len(problems) - len(few)
        super().__init__(" ".join([*([text] if text else []), *few, *([f"And {more} more."] if more else [])]))
        self.problems = tuple(problems)
