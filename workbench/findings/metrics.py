"""What is measured of previews: name, unit, direction and meaning of every score, said in one place."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

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
    higher_is_better: bool | None  # None = neither way is better as such: 0 is as without a LoRA
    source: Source
    meaning: str
    number: str = ".1f"  # d3 and Python format of one value
    counts_misses: bool = False  # whether a picture without a face has a value, too

    @property
    def title(self) -> str:
        """Label and unit, as an axis says them."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def better(self) -> str:
        """Which way is better, in words."""
        if self.higher_is_better is None:
            return "neither way is better as such"
        return "higher is better" if self.higher_is_better else "lower is better"

    @property
    def is_share(self) -> bool:
        """Whether values are parts of 1 that are shown as percentages."""
        return self.number.endswith("%")

    def goodness(self, values: "pd.Series") -> "pd.Series":
        """Values turned so that the greatest is the best; where neither way is better, the one nearest to 0."""
        if self.higher_is_better is None:
            return -values.abs()
        return values if self.higher_is_better else -values

    def show(self, value: float) -> str:
        """A value in this metric's own format; one against the base row is a difference already.

        >>> METRICS["face_rate"].show(0.875)
        '88 %'
        >>> METRICS["saturation_change"].show(0.042)
        '+4.2 points'
        """
        if self.higher_is_better is None:
            return self.show_change(value, sign=True)
        return f"{100 * value:z{self.number[:-1]}f} %" if self.is_share else f"{value:z{self.number}}"

    def show_change(self, value: float, sign: bool = False) -> str:
        """A difference of two values; of two shares in points, since "50 % lower" could be half as much.

        What rounds to nothing has no minus (the z of the format).

        >>> METRICS["face_rate"].show_change(-0.5, sign=True)
        '-50 points'
        >>> METRICS["likeness"].show_change(-0.04)
        '0.0'
        """
        plus = "+" if sign else ""
        if self.is_share:
            return f"{100 * value:{plus}z{self.number[:-1]}f} points"
        return f"{value:{plus}z{self.number}}"


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
            "identity_yield",
            "recognised",
            "identity",
            "identity yield",
            "share of previews",
            True,
            "automatic",
            "In what share of the previews that should show the subject the face is recognisably that person: at or "
            "above the threshold that was measured on the subject's own photos and other people's; pictures without a "
            "face and broken ones count as misses.",
            ".0%",
            counts_misses=True,
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
            counts_misses=True,
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
            "look",
            "clip_i",
            "identity",
            "look",
            "CLIP-I, cosine",
            True,
            "automatic",
            "How alike the whole picture looks to the reference photos, as CLIP sees it: clothes, light and background "
            "count too, so it is no identity, and it rises with copying. Compare it only between the same prompts.",
            ".3f",
        ),
        Metric(
            "copies",
            "copied",
            "identity",
            "copies",
            "share of previews",
            False,
            "automatic",
            "What share of the previews that should show the subject comes nearer to one training photo, in its face "
            "or as a whole picture, than the subject's unseen photos ever do.",
            ".0%",
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
            "drift",
            "drift",
            "neutral",
            "drift",
            "1 - CLIP cosine",
            False,
            "automatic",
            "How far pictures whose prompt doesn't name the subject have moved away from the base row's picture of the "
            "same prompt and seed: 0 is as without a LoRA.",
            ".3f",
        ),
        Metric(
            "diversity",
            "diversity",
            "identity",
            "diversity",
            "1 - CLIP cosine",
            True,
            "automatic",
            "How much pictures of one prompt differ from seed to seed. An overtrained LoRA draws the same picture "
            "again and again; compare it with the base row's, since a LoRA that has learned nothing has as much.",
            ".3f",
        ),
        Metric(
            "saturation_change",
            "saturation_change",
            "identity",
            "saturation",
            "points, against the base row",
            None,
            "automatic",
            "How much more colourful pictures are than the base row's of the same prompt and seed, 0 to 100 points: 0 "
            "is as without a LoRA. Overtrained skin is often far above.",
            ".1%",
        ),
        Metric(
            "clipping_change",
            "clipping_change",
            "identity",
            "clipping",
            "points, against the base row",
            None,
            "automatic",
            "How many more points of a hundred are burnt out or drowned in black than in the base row's picture of the "
            "same prompt and seed: 0 is as without a LoRA.",
            ".1%",
        ),
        Metric(
            "sharpness_change",
            "sharpness_change",
            "identity",
            "sharpness",
            "doublings, against the base row",
            None,
            "automatic",
            "How much sharper pictures are than the base row's of the same prompt and seed: +1 is twice, -1 half as "
            "sharp, 0 as without a LoRA. Noise counts as sharp.",
            ".2f",
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
