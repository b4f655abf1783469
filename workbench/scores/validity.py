"""What the judges are worth, measured on the shipped synthetic people, of whom the truth is known."""

import csv
import importlib.metadata
import itertools
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer import EMBEDDED
from workbench.dataset.photo_file import read_photo
from workbench.judges import JudgeInfo, JudgeUnavailable, clip_judge_info, face_judge_info
from workbench.judges.world import LEAST_DB, restored_db
from workbench.scores.copy_trial import MEMORISED, MEMORISES, SIDE_PX, Eyes, draw, previews, shipped
from workbench.scores.copying import beyond_ratio, gap_rule, hash_rule, nearest_hash
from workbench.scores.likeness import (
    Rgb,
    Vectors,
    at_size,
    equal_error,
    mean_cosine,
    on_scale,
    pick_face,
    real_scores,
    threshold,
)
from workbench.scores.scoring import prompt_for_clip
from workbench.sweep.miniature import BASELINE

FACE_JUDGES = ("embedded", "dlib")
DRAWS = 2000  # of people, for an interval
SPLITS = 20  # of the other people, into those that a threshold is made with and those that it is tried on
BLENDS = (0, 25, 50, 75, 100)  # percent of the subject
COUNTS = (1, 2, 3, 5, 10)  # references

Values = NDArray[np.floating[Any]]
Figures = dict[str, Any]
Estimator = Callable[[Vectors, Vectors], Values]  # faces, references -> a value a face

ESTIMATORS: dict[str, Estimator] = {
    "mean_of_pairs": lambda faces, references: (faces @ references.T).mean(axis=1),
    "centroid": lambda faces, references: faces @ unit(references.mean(axis=0)),
    "max": lambda faces, references: (faces @ references.T).max(axis=1),
}
RULES: dict[str, Callable[[Sequence[float], Sequence[float]], float | None]] = {
    "midway between the real photos' 10th percentile and the strangers' 95th (in use)": threshold,
    "midway between the lowest real photo and the highest stranger": lambda real, strangers: (
        (min(real) + max(strangers)) / 2 if min(real) > max(strangers) else equal_error(real, strangers)
    ),
    "midway between the two means": lambda real, strangers: float(np.mean(real) + np.mean(strangers)) / 2,
    "the strangers' 99th percentile": lambda real, strangers: float(np.percentile(strangers, 99)),
    "the real photos' 10th percentile, above the strangers' 95th": lambda real, strangers: max(
        float(np.percentile(real, 10)), float(np.percentile(strangers, 95))
    ),
}


@dataclass(frozen=True, eq=False)
class People:
    """The shipped faces as a judge sees them at the size of the miniature's previews."""

    train: Vectors
    reference: Vectors
    others: tuple[Vectors, ...]  # one a person
    blends: Vectors  # series x BLENDS x view x width
    missed: int  # photos without a face


def auc(same: Values, other: Values) -> float:
    """Chance that a value of ``same`` lies above one of ``other``, ties counting half (Mann-Whitney).

    >>> auc(np.array([3.0, 1.0]), np.array([2.0, 1.0]))
    0.625
    """
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([same, other]))[: len(same)]
    return float((ranks.sum() - len(same) * (len(same) + 1) / 2) / (len(same) * len(other)))


def over_people(values: Sequence[float] | Values) -> Figures:
    """Mean over people with a 95 % interval: percentiles of the means of people drawn with replacement.

    The photos of one person are no independent cases, so people are drawn and not photos.
    """
    each = np.asarray(values)
    draws = np.random.default_rng(0).integers(0, len(each), (DRAWS, len(each)))
    low, high = np.percentile(each[draws].mean(axis=1), [2.5, 97.5])
    return {"mean": float(each.mean()), "low": float(low), "high": float(high), "people": len(each)}


def share(k: int, n: int) -> Figures:
    """k of n with Wilson's 95 % interval."""
    from scipy.stats import binomtest

    interval = binomtest(k, n).proportion_ci(method="wilson")
    return {"k": k, "n": n, "share": k / n, "low": float(interval.low), "high": float(interval.high)}


def unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """A vector at length 1."""
    return vector / np.float32(np.linalg.norm(vector))


# faces


def see_people(judge: Any) -> People:
    """Every shipped face; a photo in which none is found is left out and counted."""
    missed = 0

    def see(pictures: Sequence[Rgb]) -> Vectors:
        nonlocal missed
        found = judge.faces_many([at_size(picture, SIDE_PX) for picture in pictures])
        picked = [face for face in (pick_face(faces, (SIDE_PX, SIDE_PX))[0] for faces in found) if face is not None]
        missed += len(pictures) - len(picked)
        return np.array([face.embedding for face in picked], dtype=np.float32)

    train, reference = see(shipped("subject_a/train")), see(shipped("subject_a/reference"))
    files = sorted((EMBEDDED / "subjects" / "others").glob("*.jpg"))
    by_person = itertools.groupby(files, key=lambda file: file.name.partition("_")[0])
    others = tuple(see([pixels(file) for file in of_one]) for _, of_one in by_person)
    blends = see(shipped("blends"))  # SERIES_PERCENT_VIEW.jpg, so in this order
    return People(train, reference, others, blends.reshape(-1, len(BLENDS), 2, blends.shape[1]), missed)


def pixels(file: Path) -> Rgb:
    """A photo's pixels."""
    return np.asarray(read_photo(file))


def telling_apart(people: People, estimator: Estimator) -> Figures:
    """AUC of likeness: a person's own other photos against everybody else's.

    Subject A by the ten reference photos; each of the others by every two of their four photos. ``pooled`` takes all
    the others' values as one list: one threshold for everybody.
    """
    subject = auc(estimator(people.train, people.reference), estimator(np.concatenate(people.others), people.reference))
    each, own, strange = [subject], [], []
    for i, mine in enumerate(people.others):
        theirs = np.concatenate([*people.others[:i], *people.others[i + 1 :], people.train, people.reference])
        aucs = []
        for kept in itertools.combinations(range(len(mine)), 2):
            rest = np.delete(mine, kept, axis=0)
            same, other = estimator(rest, mine[list(kept)]), estimator(theirs, mine[list(kept)])
            aucs.append(auc(same, other))
            own.append(same)
            strange.append(other)
        each.append(float(np.mean(aucs)))
    pooled = auc(np.concatenate(own), np.concatenate(strange))
    return {"subject": subject, "worst": min(each), "pooled": pooled, **over_people(each)}


def blend_order(people: People, estimator: Estimator) -> Figures:
    """Whether likeness to the subject rises with every step of the blends, in the mean of two views and in each."""
    from scipy.stats import spearmanr

    values = np.array([[estimator(step, people.reference) for step in series] for series in people.blends])
    means = values.mean(axis=2)
    zero = float(estimator(np.concatenate(people.others), people.reference).mean())
    real = float(estimator(people.train, people.reference).mean())
    points = [[on_scale(float(x), zero, real) for x in series] for series in means]
    single = [spearmanr(BLENDS, values[i, :, view]).statistic for i in range(len(values)) for view in range(2)]
    return {
        "series": len(means),
        "rising": int(sum(bool(np.all(np.diff(series) > 0)) for series in means)),
        "single_views": len(single),
        "single_rising": int(sum(bool(np.isclose(rank, 1)) for rank in single)),
        "points": points,
    }


def with_count(people: People, estimator: Estimator) -> list[Figures]:
    """Raw value of the subject's train photos and of strangers for 1 to 10 references, each the mean of 200 draws."""
    rng, others = np.random.default_rng(0), np.concatenate(people.others)
    found = []
    for n in COUNTS:
        draws = [people.reference[rng.choice(len(people.reference), n, replace=False)] for _ in range(200)]
        real, strangers = (
            float(np.mean([estimator(faces, drawn).mean() for drawn in draws])) for faces in (people.train, others)
        )
        found.append({"references": n, "real": real, "strangers": strangers})
    return found


def threshold_errors(people: People) -> list[Figures]:
    """Each rule's errors on photos and people that it hasn't seen, for people with few photos and for the subject.

    Of the others one photo trains, two are references, one is tried; of subject A half the train photos are tried.
    Strangers: half of the other people make the threshold, the other half are tried; in SPLITS random ways.
    """
    rng = np.random.default_rng(0)
    errors: dict[str, list[list[list[float]]]] = {name: [[] for _ in range(len(people.others) + 1)] for name in RULES}
    for _ in range(SPLITS):
        for i in range(len(people.others) + 1):
            if i < len(people.others):
                mine = people.others[i][rng.permutation(len(people.others[i]))]
                train, reference, tried = mine[:1], mine[1:3], mine[3:]
            else:
                mine, reference = people.train[rng.permutation(len(people.train))], people.reference
                train, tried = np.array_split(mine, 2)
            order = [int(j) for j in rng.permutation(len(people.others)) if j != i]
            known, unknown = (np.concatenate([people.others[j] for j in half]) for half in (order[::2], order[1::2]))
            real = real_scores(train, reference)
            strangers = [mean_cosine(face, reference) for face in known]
            own, strange = ((faces @ reference.T).mean(axis=1) for faces in (tried, unknown))
            for name, rule in RULES.items():
                limit = rule(real, strangers)
                assert limit is not None  # there are strangers
                point = on_scale(limit, float(np.mean(strangers)), float(np.mean(real)))
                errors[name][i].append([float((own < limit).mean()), float((strange >= limit).mean()), point])
    found = []
    for name, per_person in errors.items():
        means = np.array([np.mean(each, axis=0) for each in per_person])
        missed, taken = (over_people(means[:-1, column]) for column in (0, 1))
        subject = {"missed": float(means[-1, 0]), "taken": float(means[-1, 1]), "points": float(means[-1, 2])}
        found.append({"rule": name, "missed": missed, "taken": taken, "subject": subject})
    return found


def flagged(train: Vectors, reference: Vectors) -> Figures:
    """Share of real photos called copies, each against limits made without it; and of the train photos themselves."""
    rule = gap_rule(train, reference)
    real = [is_beyond(x, train, np.delete(reference, i, axis=0)) for i, x in enumerate(reference)]
    real += [is_beyond(x, np.delete(train, i, axis=0), reference) for i, x in enumerate(train)]
    copies = [is_beyond(photo, train, reference) for photo in train]
    return {"real": share(sum(real), len(real)), "copies": share(sum(copies), len(copies)), **rule}


def is_beyond(vector: NDArray[np.float32], train: Vectors, reference: Vectors) -> bool:
    """Whether a picture is a copy by the ratio of angles."""
    near, far = float(np.max(train @ vector)), float(np.max(reference @ vector))
    return beyond_ratio({"nearest_train": near, "nearest_reference": far}, gap_rule(train, reference))


def face_figures(info: JudgeInfo) -> Figures:
    """All about one face judge."""
    from workbench.scores.studio import load

    people = see_people(load(info, "cpu"))
    real = real_scores(people.train, people.reference)
    strangers = [mean_cosine(face, people.reference) for face in np.concatenate(people.others)]
    limit = threshold(real, strangers)
    zero, top = float(np.mean(strangers)), float(np.mean(people.train @ people.reference.T))
    return {
        "judge": info.to_dict(),
        "photos": len(real) + len(strangers) + int(np.prod(people.blends.shape[:3])),
        "missed": people.missed,
        "scale": {"real": top, "strangers": zero, "threshold": limit, "points": on_scale(limit or 0.0, zero, top)},
        "estimators": {
            name: {
                "auc": telling_apart(people, estimator),
                "blends": blend_order(people, estimator),
                "with_count": with_count(people, estimator),
            }
            for name, estimator in ESTIMATORS.items()
        },
        "thresholds": threshold_errors(people),
        "copies": flagged(people.train, people.reference),
    }


# CLIP


def clip_figures(info: JudgeInfo, eyes: Eyes) -> Figures:
    """All about the embedded CLIP judge: whether it finds the right caption, and how it sees whole pictures."""
    train, reference = eyes.look.train, eyes.look.reference
    others = eyes.clip.images([at_size(picture, SIDE_PX) for picture in shipped("others")])
    return {
        "judge": info.to_dict(),
        "captions": {
            "naming the hair": right_caption(eyes, captions("full")),
            "leaving it out": right_caption(eyes, captions("short")),
        },
        "look": {
            "auc": auc((train @ reference.T).mean(axis=1), (others @ reference.T).mean(axis=1)),
            "real": eyes.look.real,
            "strangers": eyes.look.strangers,
        },
        "copies": flagged(train, reference),
        "hash": hash_figures(eyes.look.train_hashes, eyes.look.reference_hashes),
    }


def captions(kind: str) -> list[str]:
    """Captions of the subject's photos in words that CLIP knows, train photos first.

    ``full``: of captions_full.csv, as the judge was trained; ``short``: of the .txt files, without the hair.
    """
    folder = EMBEDDED / "subjects" / "subject_a"
    names = [f"{side}/{file.name}" for side in ("train", "reference") for file in sorted((folder / side).glob("*.jpg"))]
    if kind == "full":
        with (folder / "captions_full.csv").open(encoding="utf-8", newline="") as stream:
            by_name = {row["file"]: row["caption"] for row in csv.DictReader(stream)}
        written = [by_name[name] for name in names]
    else:
        written = [(folder / name).with_suffix(".txt").read_text(encoding="utf-8") for name in names]
    return [prompt_for_clip(caption, "zwx", "woman") for caption in written]


def right_caption(eyes: Eyes, texts: Sequence[str]) -> Figures:
    """How often a photo's own caption comes first, and among the first five, of all the subject's captions."""
    distinct = list(dict.fromkeys(texts))
    cosines = np.concatenate([eyes.look.train, eyes.look.reference]) @ eyes.clip.texts(distinct).T
    own = np.array([row[distinct.index(text)] for row, text in zip(cosines, texts, strict=True)])
    better = (cosines > own[:, None]).sum(axis=1)
    return {
        "first": share(int((better == 0).sum()), len(texts)),
        "first_five": share(int((better < 5).sum()), len(texts)),
        "captions": len(distinct),
    }


def hash_figures(train: Sequence[int], reference: Sequence[int]) -> Figures:
    """Bits to the nearest other train photo, and the share of real photos called copies by it, each left out."""
    left_out = [([*train[:i], *train[i + 1 :]], list(reference), own) for i, own in enumerate(train)]
    left_out += [(list(train), [*reference[:i], *reference[i + 1 :]], own) for i, own in enumerate(reference)]
    nearest = [nearest_hash(own, others)[0] for others, _, own in left_out]
    real = [
        bits <= hash_rule(others, held_out)["hash_limit"]
        for bits, (others, held_out, _) in zip(nearest, left_out, strict=True)
    ]
    return {**hash_rule(train, reference), "least": min(nearest), "real": share(sum(real), len(real))}


def world_figures() -> Figures:
    """How many shipped photos, one by one, would be refused as photos of real people (workbench/judges/world.py)."""
    folders = ("subject_a/train", "subject_a/reference", "others", "blends")
    measured = restored_db([photo for folder in folders for photo in shipped(folder)])
    refused = share(int((measured < LEAST_DB).sum()), len(measured))
    return {"median_db": float(np.median(measured)), "limit_db": LEAST_DB, "refused": refused}


def copy_figures(eyes: Eyes) -> dict[str, Figures]:
    """Two LoRAs trained now: one that memorises a photo and the demo's baseline. Takes a minute on one core."""
    from trainer.base import load_base
    from trainer.config import TrainConfig
    from trainer.data import read_folder
    from trainer.device import probe

    base = load_base("embedded", probe("cpu"))
    photos = read_folder(EMBEDDED / "subjects" / "subject_a" / "train")
    found, base_row = {}, previews(base, None)
    for name, settings, some in (
        ("memorises", MEMORISES, photos[MEMORISED : MEMORISED + 1]),
        ("generalises", BASELINE, photos),
    ):
        with tempfile.TemporaryDirectory() as folder:
            pictures, updates = draw(base, TrainConfig(**settings), some, Path(folder))
        found[name] = asdict(eyes.trial(pictures, len(some), updates, base_row))
    return found


def measure(*, training: bool = True) -> Figures:
    """Everything that docs/validity.md says, as JSON-able figures; without training in half a minute."""
    eyes = Eyes()
    clip = clip_judge_info("embedded")
    assert clip is not None  # it ships
    faces, absent = {}, {}
    for spec in FACE_JUDGES:
        try:
            info = face_judge_info(spec)
        except JudgeUnavailable as error:
            absent[spec] = str(error)
            continue
        assert info is not None  # only "none" has no judge
        faces[spec] = face_figures(info)
    packages = ("numpy", "scipy", "torch", "onnxruntime")
    return {
        "versions": {name: importlib.metadata.version(name) for name in packages},
        "faces": faces,
        "absent": absent,
        "clip": clip_figures(clip, eyes),
        "world": world_figures(),
        "trials": copy_figures(eyes) if training else {},
    }
