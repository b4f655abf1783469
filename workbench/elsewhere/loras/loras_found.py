"""LoRA files as trainings: which files are checkpoints of one run, and what is known of it."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from trainer import fingerprint
from trainer.base_kind import PICKLES, TornFile
from trainer.config import TrainConfig, parse_config
from trainer.layer_shapes import layer_shapes
from workbench.bases import short
from workbench.elsewhere.loras.lora_file import LoraFile, check_layers, read_lora
from workbench.elsewhere.loras.lora_header import LoraFileError, printable, shown
from workbench.elsewhere.loras.lora_settings import Said, what_it_says
from workbench.elsewhere.problem import Problem, Refused
from workbench.words import counted

FILES_MOST = 500  # at once
SHORT_HASH = 10  # digits of the hash that A1111 shows; sd-scripts' old ss_sd_model_hash has 8, of a part of the file


class LorasError(Refused):
    """LoRA files that can't be imported; nothing was."""

    between = ": "


@dataclass(frozen=True)
class FoundCheckpoint:
    """One file of a training, and whether the project has it. ``updates``, ``epoch``: None = not known.

    ``order`` is the number of updates, where these are not known the epoch's: it stands for updates in the database.
    """

    file: LoraFile
    name: str
    updates: int | None
    epoch: float | None
    order: int
    already: bool = False


@dataclass(frozen=True)
class FoundRun:
    """One training: its files in order, the settings that are known, and why others are not.

    ``session``: what names it in a project, ``by_name`` where that is the files' name. ``apart`` see
    :func:`workbench.sweep.patterns.add_made_elsewhere`. ``photos``: how many; None = not known.
    """

    label: str  # suggested
    session: str
    by_name: bool
    checkpoints: tuple[FoundCheckpoint, ...]
    known: Mapping[str, Any]  # setting -> value
    unknown: Mapping[str, str]  # setting -> why
    seed: int | None
    photos: int | None
    total_updates: int | None
    apart: str
    named_base: str  # hash or name of an unknown base model, as the file says
    told: tuple[str, ...]

    @property
    def config(self) -> TrainConfig:
        """The known settings, the others at their defaults."""
        return parse_config(dict(self.known))


@dataclass(frozen=True)
class FoundLoras:
    """What lies in the files: trainings, what is wrong with which file, and what to know."""

    runs: tuple[FoundRun, ...] = ()
    problems: tuple[Problem, ...] = ()
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class Around:
    """What a project knows: its base and where that lies, how many train photos it has, files that it has."""

    base_model: str
    place: str
    photos: int
    has: Collection[str] = ()  # sha256
    same_base: bool = False  # a person says that the files were trained on the project's base


def found_in(paths: Sequence[Path], around: Around) -> FoundLoras:
    """Read files and folders; nothing is written. Raises LorasError where there is nothing to read, or no base."""
    try:
        layers = layer_shapes(around.place)
    except TornFile as error:
        raise LorasError(f"Base model {short(around.base_model)} {error}") from error
    files, told = _files(paths)
    read: list[tuple[LoraFile, Said]] = []
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    for path in files:
        try:
            file = read_lora(path)
            check_layers(file, layers, short(around.base_model))
        except LoraFileError as error:
            problems.append(Problem(shown(error.name), error.why))
            continue
        if file.sha256 in seen:
            told.append(f"{shown(path.name)} is the same file as {seen[file.sha256]}.")
            continue
        seen[file.sha256] = shown(path.name)
        read.append((file, what_it_says(file, layers)))
    runs = [_run(group, around) for group in _groups(read).values()]
    return FoundLoras(tuple(runs), tuple(problems), tuple(told))


def _files(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Every LoRA file that is named or lies in a named folder, sorted; in a folder other files are passed over."""
    found: dict[Path, None] = {}
    told = []
    for path in paths:
        path = path.expanduser()
        if path.is_dir():
            inside = sorted(each for each in path.rglob("*") if each.is_file())
            found |= dict.fromkeys(each for each in inside if each.suffix.lower() == ".safetensors")
            if pickles := [shown(each.name) for each in inside if each.suffix.lower() in PICKLES]:
                told.append(f"{counted(len(pickles), 'pickle file')} left out, such as {pickles[0]}: it can run code.")
        elif path.is_file():
            found[path] = None
        else:
            raise LorasError(f"There is no file or folder {path}. Correct the path.")
    if not found:
        raise LorasError(" ".join(["There is no LoRA file (.safetensors) in what was named.", *told]))
    if len(found) > FILES_MOST:
        raise LorasError(f"There are {len(found):,} files; at most {FILES_MOST} can be imported at once.")
    return list(found), told


Key = tuple[str, ...]


def _groups(read: Iterable[tuple[LoraFile, Said]]) -> dict[Key, list[tuple[LoraFile, Said]]]:
    """Files of one training: of one ss_session_id, or of one name in one folder with the same settings."""
    groups: dict[Key, list[tuple[LoraFile, Said]]] = {}
    for file, said in read:
        by_name = (str(_folder(file)), said.stem, repr(sorted(said.known.items())))
        groups.setdefault((said.session,) if said.session else by_name, []).append((file, said))
    return groups


def _folder(file: LoraFile) -> Path:
    """Where the files of its training lie together: above diffusers' checkpoint-500."""
    folder = file.path.resolve().parent
    return folder.parent if folder.name.startswith("checkpoint-") else folder


def _run(group: list[tuple[LoraFile, Said]], around: Around) -> FoundRun:
    checkpoints, told = _ordered(group, around)
    file, said = next((file, said) for file, said in group if file is checkpoints[-1].file)
    known, unknown = dict(said.known), dict(said.unknown)
    known["base_model"] = around.base_model
    if around.same_base or is_base(said, around):
        del unknown["base_model"]
    else:
        named = f"it says {said.base_name}" if said.base_name else "it doesn't say on which"
        unknown["base_model"] = f"{named}, and whether that is {short(around.base_model)} is not known"
        told.append(
            f"Whether it was trained on {short(around.base_model)}, with which its pictures are made, is not known: "
            f"{named}."
        )
    if said.photos is not None and said.photos != around.photos:
        told.append(f"Trained on {counted(said.photos, 'photo')}; the project has {around.photos} to train on.")
    if said.session is None and len(checkpoints) > 1:
        told.append("Joined as one training by their names: the files don't say that they belong together.")
    if len(checkpoints) > 1 and any(checkpoint.updates is None for checkpoint in checkpoints):
        told.append("How many updates were done is not known; the order is that of the epochs.")
    name = printable(file.metadata.get("ss_output_name", "").strip()[:80]) or said.stem
    session = said.session or said.stem
    nothing_known = {"optimizer", "learning_rate"} <= unknown.keys()
    apart = [*said.not_ours, f"photos {said.photos}"]
    if nothing_known:
        apart += [said.session or said.stem, repr(sorted(said.known.items()))]
    return FoundRun(
        label=name,
        session=session,
        by_name=said.session is None,
        checkpoints=tuple(checkpoints),
        known={name: known[name] for name in TrainConfig.model_fields if name in known and name not in unknown},
        unknown={name: unknown[name] for name in TrainConfig.model_fields if name in unknown},
        seed=said.seed,
        photos=said.photos,
        total_updates=said.total_updates,
        apart="; ".join(apart),
        named_base=(said.base_hash.lower() or base_file(said.base_name)) if "base_model" in unknown else "",
        told=tuple(told),
    )


def _ordered(group: list[tuple[LoraFile, Said]], around: Around) -> tuple[list[FoundCheckpoint], list[str]]:
    """The files of a training by updates, else by epoch; the one without a number is the last."""
    by_updates = all(said.updates is not None for _, said in group)

    def order(said: Said) -> float:
        number = said.updates if by_updates else said.epoch
        return math.inf if number is None or (said.is_last and not by_updates) else float(number)

    found: dict[int, FoundCheckpoint] = {}
    told: list[str] = []
    highest = 0
    for file, said in sorted(group, key=lambda each: (order(each[1]), each[0].path.name)):
        place = order(said)
        number = int(place) if math.isfinite(place) else max(highest + 1, int(said.epoch or 0))
        if number in found:
            told.append(f"{shown(file.path.name)} left out: {found[number].name} is of the same moment.")
            continue
        highest = number
        updates = said.updates if by_updates else None
        known = file.sha256 in around.has
        found[number] = FoundCheckpoint(file, printable(file.stem), updates, said.epoch, number, known)
    return list(found.values()), told


def is_base(said: Said, around: Around) -> bool:
    """Whether a file was trained on the project's base: by its hash where both have one, else by the file's name."""
    hashed = said.base_hash.lower()
    if len(hashed) >= SHORT_HASH:
        own_hashes = [fingerprint.fingerprint(around.place)]
        if Path(around.place).is_file():
            own_hashes.append(fingerprint.sha256(Path(around.place)))
        if any(each.startswith(hashed) for each in own_hashes):
            return True
        if Path(around.place).is_file():
            return False  # many bases are called model.safetensors
    name = base_file(said.base_name)
    return bool(name) and name == base_file(around.place)


def base_file(name: str) -> str:
    """The name of a base model's file as names are compared: without folder and suffix."""
    return PurePosixPath(name.replace("\\", "/")).name.lower().removesuffix(".safetensors")
