"""What a sweep will cost before it is queued: updates, pictures, hours from measured steps, gigabytes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from db import costs, library
from trainer import EMBEDDED_BASES
from trainer.config import TrainConfig, parse_config
from workbench.findings.best import LEADERS
from workbench.plans.closer import AT_LEAST, looks_twice
from workbench.plans.plan import EvalPlan, plan_of
from workbench.plans.wanted import SETTINGS, Eyes, main_eyes, other_eyes
from workbench.running.device import known_device, known_precisions
from workbench.sweep.patterns import Asked, contrasts_among, listed, unsaved
from workbench.words import between, duration

SD1_BYTES_PER_DIM = 144e6 / 128  # of an fp16 file with 192 U-Net and 72 text encoder modules
MOMENTS = {  # fp32 copies of the weights that an optimiser keeps; AdaFactor's rows and columns are small
    **dict.fromkeys(("adafactor", "adafactor-fixed"), 0.0),
    **dict.fromkeys(("lion", "sgd_nesterov"), 1.0),
    **dict.fromkeys(("lion8bit", "sgd_nesterov8bit"), 0.25),
    "adamw8bit": 0.5,
    "dadaptation": 3.0,  # Adam's, and its own sum of gradients
    "prodigy": 4.0,  # those, and the weights that it started from
}
ADAM_MOMENTS = 2.0
NUMBER_BYTES = {"fp16": 2, "bf16": 2, "fp32": 4}
PREVIEW_BYTES_PER_PIXEL = 0.25  # of a WebP picture with its thumbnail: rough
SD1_SIDE, EMBEDDED_SIDE = 512, 64  # px


@dataclass(frozen=True)
class Cost:
    """What some runs come to. ``seconds`` and ``bytes``: None = nothing like it was measured here yet."""

    runs: int
    updates: int
    images: int
    files: int
    previews: int  # at least
    seconds: float | None  # with the previews of ``perhaps``
    bytes: float | None
    perhaps: int = 0  # more previews, if every checkpoint turns out to be promising

    @property
    def sentence(self) -> str:
        """All of it for people."""
        if not self.runs:
            return "Nothing to train."
        about = "at most about" if self.perhaps else "about"
        time = (
            f"{about} {duration(self.seconds)}"
            if self.seconds is not None
            else "hours not measured yet: known once a run on this base, size and device has trained"
        )
        size = f"{about} {self.bytes / 1e9:.2g} GB" if self.bytes is not None else "GB not measured yet"
        return (
            f"{self.runs:,} run{'s' if self.runs != 1 else ''}: {self.updates:,} updates, {self.images:,} images seen, "
            f"{self.files:,} LoRA files, {between(self.previews, self.perhaps)} previews; {time}; {size}."
        )


def cost(db: Database, project_id: int, wanted: Sequence[TrainConfig]) -> Cost | None:
    """What it takes to train these (one entry per run) with their previews; None without photos."""
    project = library.project(db, project_id)
    assert project is not None
    n_photos = len(library.photos(db, project["dataset_id"], "train")) if project["dataset_id"] else 0
    if not n_photos:
        return None
    plan = plan_of(db, project_id)
    totals = [config.total_updates(n_photos) for config in wanted]
    files = [len(config.save_points(n_photos)) for config in wanted]
    seen = previews(db, project_id, wanted, files, plan)
    most = previews(db, project_id, wanted, files, plan, most=True) if plan.scan_seeds or plan.confirm_seeds else seen
    return Cost(
        len(wanted),
        sum(totals),
        sum(config.images_seen(total, n_photos) for config, total in zip(wanted, totals, strict=True)),
        sum(files),
        seen.total(),
        seconds(db, wanted, totals, most),
        size(db, wanted, files, most.total(), plan),
        most.total() - seen.total(),
    )


def previews(
    db: Database,
    project_id: int,
    wanted: Sequence[TrainConfig],
    files: Sequence[int],
    plan: EvalPlan,
    most: bool = False,
) -> Counter[str]:
    """How many previews each base draws: of every file, of the base rows, and of the plan's variants.

    At least; ``most``: if every checkpoint turns out to be promising, and these patterns lead.
    """
    project = library.project(db, project_id)
    assert project is not None
    twice = looks_twice(plan, project) and not most
    leading = dict(Counter(config.hash for config in wanted).most_common(LEADERS if most else 0))
    added = [Asked("", config) for config in dict.fromkeys(wanted)]
    both = [*listed(db, project_id), *unsaved(added)]
    hashes = {pattern.pattern_id: pattern.hash for pattern in both}
    pairs: dict[str, set[str]] = {}
    for pair in contrasts_among(both, known_precisions(db)) if plan.variants else ():
        for end in (pair.a, pair.b) if pair.setting in SETTINGS else ():
            pairs.setdefault(hashes[end], set()).add(pair.setting)
    found: Counter[str] = Counter()
    rows: dict[Eyes, int] = {}  # base rows
    for config, n_files in zip(wanted, files, strict=True):
        main = main_eyes(plan, config)
        rows[main] = len(plan.base_row_cells())
        full = min(n_files, AT_LEAST) if twice else n_files
        found[main.base_model] += full * len(plan.cells()) + (n_files - full) * len(plan.scan_cells())
        found[main.base_model] += len(plan.confirm_cells()) if config.hash in leading else 0
        for eyes in other_eyes(plan, config, pairs.get(config.hash, set())):
            rows.setdefault(eyes, len(plan.identity_cells()))
            found[eyes.base_model] += len(plan.identity_cells())
    for eyes, cells in rows.items():
        found[eyes.base_model] += cells
    return found


def seconds(
    db: Database, wanted: Sequence[TrainConfig], totals: Sequence[int], seen: Mapping[str, int]
) -> float | None:
    """Training and rendering time; None where a step or a preview of any of them was never measured."""
    device = known_device(db)
    measured = [
        (parse_config(row["config"]), row["train_seconds"] / row["step"])
        for row in costs.trainings(db, device.name if device else None)
    ]
    steps = [seconds_per_update(config, measured) for config in wanted]
    each = {base: costs.seconds_per_preview(db, base) for base in seen}
    if None in steps or not all(each.values()):
        return None
    training = sum(updates * step for updates, step in zip(totals, steps, strict=True) if step is not None)
    return training + sum(count * each[base] for base, count in seen.items())


def seconds_per_update(config: TrainConfig, measured: Sequence[tuple[TrainConfig, float]]) -> float | None:
    """The step time of the most similar training on the same base and size, scaled by the photos of an update.

    Time is taken as proportional to the photos: right for a busy GPU, too much for a small one with room left.
    """
    alike = [
        (other, step)
        for other, step in measured
        if (other.base_model, other.resolution) == (config.base_model, config.resolution)
    ]
    if not alike:
        return None

    def unlike(item: tuple[TrainConfig, float]) -> tuple[float, bool]:
        other = item[0]
        ratio = other.photos_per_update / config.photos_per_update
        return max(ratio, 1 / ratio), other.train_text_encoder != config.train_text_encoder

    other, step = min(alike, key=unlike)
    return step * config.photos_per_update / other.photos_per_update


def size(
    db: Database, wanted: Sequence[TrainConfig], files: Sequence[int], previews: int, plan: EvalPlan
) -> float | None:
    """Bytes of LoRA files, one training state per run, and previews."""
    measured = [(parse_config(row["config"]), row["bytes"]) for row in costs.files(db)]
    found = 0.0
    for config, n_files in zip(wanted, files, strict=True):
        each = file_bytes(config, measured)
        if each is None:
            return None
        weights = each / NUMBER_BYTES[config.save_precision] * 4  # fp32 in the state
        found += n_files * each + weights * (1 + MOMENTS.get(config.optimizer, ADAM_MOMENTS))
    side = plan.size or (EMBEDDED_SIDE if all(c.base_model in EMBEDDED_BASES for c in wanted) else SD1_SIDE)
    return found + previews * side * side * PREVIEW_BYTES_PER_PIXEL


def file_bytes(config: TrainConfig, measured: Sequence[tuple[TrainConfig, int]]) -> float | None:
    """Bytes of one LoRA file: a measured one of the same base and modules scaled by dim, else that of SD 1.x."""

    def shape(c: TrainConfig) -> tuple[object, ...]:
        return c.base_model, c.modules, c.train_text_encoder, c.conv_dim is None, c.dora

    for other, known in measured:
        if shape(other) == shape(config):
            numbers = NUMBER_BYTES[config.save_precision] / NUMBER_BYTES[other.save_precision]
            return known * config.dim / other.dim * numbers
    if config.base_model in EMBEDDED_BASES:
        return None
    return SD1_BYTES_PER_DIM * config.dim * NUMBER_BYTES[config.save_precision] / 2
