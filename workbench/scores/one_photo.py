"""Whether a LoRA as a whole copies one training photo: its previews are nearest to that photo, whatever the prompt.

A single preview is held to a strict limit (copying.py), so of a LoRA that has memorised a photo many pass. But their
nearest training photo is one and the same, by layout (perceptual hash), by look (CLIP) or by face. Previews of a LoRA
that generalises spread over the photos, most onto one that is nearest to everything, a hub (Radovanovic et al. 2010,
JMLR 11): hence the test is against the greater of what is usual and a half, never against an even spread. Callers leave
out faces that are not recognisably the person: halfway to her, all of them are nearest to one hub.

The rule was made on eight LoRAs and tried on others; figures in docs/validity.md. This module knows no torch.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

LAYOUT, LOOK, FACE = "layout", "look", "face"
MEASURES = (LAYOUT, LOOK, FACE)  # what finds a copied photo most often first
HALF = 0.5
BY_CHANCE = 0.025  # one-sided
FEWEST_PHOTOS = 4  # to choose the nearest from: under it a half is nothing special

ONE_PHOTO, SOME, NONE = "one_photo", "some", "none"  # verdicts


@dataclass(frozen=True)
class Concentration:
    """How many previews have one and the same training photo as their nearest."""

    measure: str
    photo: int  # index or id, as given
    k: int
    n: int  # previews with a nearest photo
    usual: float  # share that the most popular photo has where nothing was copied
    p: float  # chance of k or more if the share were the usual one, at least a half

    @property
    def is_copy(self) -> bool:
        """Whether the most popular photo is so for more than half of all such previews, and than is usual."""
        return self.p < BY_CHANCE


def concentration(measure: str, nearest: Sequence[int], usual: float | None) -> Concentration | None:
    """The most popular of the previews' nearest photos, of several the first; None without previews.

    Exact: P(X >= k) of Binomial(n, max(usual, 1/2)). It takes previews as independent: those of one prompt or seed
    are not quite, which the half allows for.

    >>> found = concentration("layout", [3] * 10 + [1, 2], 0.25)
    >>> found.photo, found.k, found.n, round(found.p, 4)  # (66 + 12 + 1) / 4096
    (3, 10, 12, 0.0193)
    """
    if not len(nearest):
        return None
    photo, k = Counter(nearest).most_common(1)[0]
    p = chance_of_so_many(k, len(nearest), max(usual or 0.0, HALF))
    return Concentration(measure, photo, k, len(nearest), usual or 0.0, p)


@lru_cache(maxsize=4096)
def chance_of_so_many(k: int, n: int, share: float) -> float:
    """P(X >= k) of Binomial(n, share); the same few are asked for of hundreds of checkpoints."""
    from scipy.special import bdtrc  # scipy.stats would take ten times as long to import

    return float(bdtrc(k - 1, n, share))


def copied_by(nearest: Mapping[str, Sequence[int]], usual: Mapping[str, float]) -> Concentration | None:
    """The first measure by which previews are nearest to one photo; else the one that comes closest to it.

    ``nearest``: measure -> nearest photo of each preview; ``usual``: measure -> :func:`popular_share`.
    """
    found = [concentration(name, nearest.get(name, ()), usual.get(name)) for name in MEASURES]
    seen = [each for each in found if each is not None]
    return next((each for each in seen if each.is_copy), min(seen, key=lambda each: each.p, default=None))


def verdict(found: Concentration | None, n_flagged: int) -> str:
    """What a LoRA's previews say together: ONE_PHOTO, SOME (single ones are flagged) or NONE."""
    if found is not None and found.is_copy:
        return ONE_PHOTO
    return SOME if n_flagged else NONE


def popular_share(nearest: Sequence[int]) -> float | None:
    """Share of pictures whose nearest photo is the most popular one; None without pictures.

    >>> popular_share([7, 7, 2, 1])
    0.5
    """
    return Counter(nearest).most_common(1)[0][1] / len(nearest) if len(nearest) else None


def usual_shares(*samples: Mapping[str, float | None]) -> dict[str, float]:
    """Per measure the greatest share that the most popular photo has in samples of pictures that copy nothing."""
    return {
        name: max(shares)
        for name in MEASURES
        if (shares := [share for sample in samples if (share := sample.get(name)) is not None])
    }
