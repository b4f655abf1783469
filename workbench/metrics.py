"""What is measured of previews: name, unit, direction and meaning of every score, said in one place."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

Source = Literal["automatic", "human"]

STRANGERS, COSINE_ZERO = "strangers", "cosine 0"  # what 0 on the likeness scale is
ZEROS = {STRANGERS: "strangers", COSINE_ZERO: "0 = cosine 0 (no photos of other people were given)"}


@dataclass(frozen=True)
class Metric:
    """One kind of score. ``key`` is its column in the checkpoint table."""

    key: str
    column: str  # in the preview table
    role: Literal["identity", "neutral", "all"]  # which prompts' previews count
    label: str
    unit: str
    higher_is_better: bool
    source: Source
    meaning: str
    number: str = ".1f"  # d3 and Python format of one value

    @property
    def title(self) -> str:
        """Label and unit, as an axis says them."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def better(self) -> str:
        """Which way is better, in words."""
        return "higher is better" if self.higher_is_better else "lower is better"

    def show(self, value: float) -> str:
        """A value in this metric's own format.

        >>> METRICS["face_rate"].show(0.875)
        '88 %'
        """
        return f"{100 * value:.0f} %" if self.number == ".0%" else f"{value:{self.number}}"

    def show_change(self, value: float, sign: bool = False) -> str:
        """A difference of two values; of two shares in points, since "50 % lower" could be half as much.

        >>> METRICS["face_rate"].show_change(-0.5, sign=True)
        '-50 points'
        """
        plus = "+" if sign else ""
        return f"{100 * value:{plus}.0f} points" if self.number == ".0%" else f"{value:{plus}{self.number}}"


LIKENESS_MEANING = (
    "How alike the face is to the reference photos that no training saw: {zero}, 100 how alike the subject's "
    "own photos are to each other; pictures without a face don't count here."
)
METRICS = {
    metric.key: metric
    for metric in (
        Metric(
            "likeness",
            "likeness",
            "identity",
            "likeness",
            "strangers 0, real photos 100",
            True,
            "automatic",
            LIKENESS_MEANING.format(zero="0 is how alike strangers are"),
        ),
        Metric(
            "face_rate",
            "face_found",
            "identity",
            "face rate",
            "share of previews",
            True,
            "automatic",
            "In what share of the previews that should show the subject a face was found; black and broken "
            "pictures count as none.",
            ".0%",
        ),
        Metric(
            "clip_t",
            "clip_t",
            "all",
            "prompt adherence",
            "CLIP cosine",
            True,
            "automatic",
            "How well the picture fits the words of its prompt, as CLIP sees it, with the trigger word "
            "replaced by the class noun; compare it only between the same prompts.",
            ".3f",
        ),
        Metric(
            "leakage",
            "likeness",
            "neutral",
            "leakage",
            "likeness without the trigger",
            False,
            "automatic",
            "Likeness in previews whose prompt doesn't name the subject: it should stay as low as without a LoRA.",
        ),
        Metric(
            "human_likeness",
            "human_likeness",
            "identity",
            "likeness, rated",
            "marks 0-100",
            True,
            "human",
            "How alike people found the picture to the reference photos, rated blind.",
        ),
        Metric(
            "human_quality",
            "human_quality",
            "identity",
            "picture quality, rated",
            "marks 0-100",
            True,
            "human",
            "How good people found the picture as a picture, rated blind.",
        ),
        Metric(
            "human_prompt",
            "human_prompt",
            "identity",
            "prompt followed, rated",
            "marks 0-100",
            True,
            "human",
            "How well people found that the picture shows what was asked for, rated blind.",
        ),
    )
}
HUMAN_AXES = ("likeness", "quality", "prompt")  # what people give marks for


def metric_on(key: str, zeros: Collection[object]) -> Metric:
    """A metric as these values of it are to be read: METRICS, but without strangers where there were none.

    ``zeros``: the column "zero" of a preview or checkpoint table. Where scales of both kinds meet, none is
    said to start at strangers.
    """
    metric = METRICS[key]
    if key != "likeness" or COSINE_ZERO not in set(zeros):
        return metric
    return replace(
        metric,
        unit="0 = cosine 0, 100 = real photos",
        meaning=LIKENESS_MEANING.format(zero=ZEROS[COSINE_ZERO]),
    )
