"""The ways in which pictures are asked about."""

from dataclasses import dataclass

LIKENESS_ONLY = ("likeness",)
FLAGS = ("broken", "not_the_person", "copy_of_a_photo")
CHOICES = {"pair": ("left", "right", "same", "bad"), "best_worst": ("best", "worst", "same", "bad")}
# Nine keys, evenly over the scale: the anchors 0, 50 and 100 lie on 1, 5 and 9.
KEY_MARKS = tuple(12.5 * step for step in range(9))


@dataclass(frozen=True)
class Mode:
    """One way to ask. An item of it shows ``pictures`` at most."""

    key: str
    label: str
    what: str  # one sentence for who has never used it
    axes: tuple[str, ...]  # what marks are given for; empty = pictures are chosen between
    pictures: int
    seconds: float  # an answer, before a rater's own speed is known


MODES = {
    mode.key: mode
    for mode in (
        Mode(
            "single",
            "One picture, three sliders",
            "One picture beside the photos: likeness, quality and how well the prompt was followed.",
            ("likeness", "quality", "prompt"),
            1,
            9.0,
        ),
        Mode("deck", "Quick deck", "One picture after the other, one key each: how alike?", LIKENESS_ONLY, 1, 3.5),
        Mode(
            "sheet",
            "A row at a time",
            "Up to eight pictures of one checkpoint in a row, one mark for all of them.",
            LIKENESS_ONLY,
            8,
            7.0,
        ),
        Mode("pair", "Two against each other", "Same prompt, same seed: which one is more this person?", (), 2, 4.0),
        Mode("best_worst", "Best and worst", "Up to six pictures: the most and the least this person.", (), 6, 8.0),
    )
}
