"""Find a judge by its name, folder or file on this computer. Nothing is loaded, and nothing is fetched."""

import hashlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from trainer import EMBEDDED
from workbench.judges.info import JudgeInfo, JudgeUnavailable
from workbench.judges.published import CLIP_WEIGHTS, published, source_of

EMBEDDED_LICENCE = "Apache-2.0"
EMBEDDED_WORLD = "synthetic portraits of the embedded miniature only"
REAL_PEOPLE = "photos of real people"
NOT_STATED = "not stated: see where the weights come from"

INSIGHTFACE_LICENCE = "non-commercial research only"  # of every pack: insightface, model_zoo/README
INSIGHTFACE_PACKS = ("buffalo_l", "buffalo_m", "buffalo_s", "buffalo_sc", "antelopev2")

DLIB_LICENCE = "public domain (CC0) weights; dlib itself: Boost Software License 1.0"
DLIB_FILES = ("shape_predictor_5_face_landmarks.dat", "dlib_face_recognition_resnet_model_v1.dat")
DLIB_PACKAGES = ("dlib-bin", "dlib")  # the same module: ready-made, and built on this computer

# Licences as the model cards state them; of others the judge says "not stated".
CLIP_LICENCES = {
    "ViT-B-32/laion2b_s34b_b79k": "MIT",
    "ViT-L-14/laion2b_s32b_b82k": "MIT",
    "ViT-H-14/laion2b_s32b_b79k": "MIT",
}


def packs_folder() -> Path:
    """Where insightface keeps its packs."""
    return Path.home() / ".insightface" / "models"


def face_judge_info(spec: str) -> JudgeInfo | None:
    """The face judge that ``spec`` names: ``embedded``, ``dlib``, a pack on this computer, a folder; None for ``none``.

    Raises :class:`JudgeUnavailable` with what to do.
    """
    if spec == "none":
        return None
    if spec == "dlib":
        return dlib_info()
    version = package_version("insightface")
    if spec == "embedded":
        folder = EMBEDDED / "faces"
    else:
        folder = Path(spec).expanduser() if looks_like_path(spec) else packs_folder() / spec
    if not folder.is_dir() and looks_like_path(spec):
        raise JudgeUnavailable("face_folder_missing", folder=str(folder))
    if not folder.is_dir():
        raise JudgeUnavailable("face_pack_absent", pack=spec, folder=str(folder))
    files = sorted(folder.glob("*.onnx"))
    if len(files) < 2:
        raise JudgeUnavailable("face_pack_incomplete", folder=str(folder))
    licence, world = NOT_STATED, NOT_STATED
    if folder.resolve() == (EMBEDDED / "faces").resolve():
        licence, world = EMBEDDED_LICENCE, EMBEDDED_WORLD
    elif spec in INSIGHTFACE_PACKS:
        licence, world = INSIGHTFACE_LICENCE, REAL_PEOPLE
    name = "embedded" if world == EMBEDDED_WORLD else folder.name
    return described("face", name, f"insightface {version}", licence, world, folder, files)


def dlib_info() -> JudgeInfo:
    """dlib with the weights of face_recognition_models: by their path, since importing that package fails without
    pkg_resources, which setuptools has dropped."""
    models = importlib.util.find_spec("face_recognition_models")
    places = [Path(place) / "models" for place in (models.submodule_search_locations or [])] if models else []
    folder = next((place for place in places if all((place / name).is_file() for name in DLIB_FILES)), None)
    if importlib.util.find_spec("dlib") is None or folder is None:
        raise JudgeUnavailable("dlib_missing", python=sys.executable)
    version = f"dlib {package_version(*DLIB_PACKAGES)}"
    return described("face", "dlib", version, DLIB_LICENCE, REAL_PEOPLE, folder, [folder / name for name in DLIB_FILES])


def clip_judge_info(spec: str) -> JudgeInfo | None:
    """The CLIP judge that ``spec`` names; None for ``none``.

    ``embedded``; ``MODEL/TAG`` as open_clip lists them, whose weights are on this computer;
    ``MODEL/path.safetensors`` (weights from OpenAI belong to ``ViT-B-32-quickgelu``, not to ``ViT-B-32``); or a folder
    with ``open_clip_model.safetensors`` and the model config as the only ``.json``. Raises :class:`JudgeUnavailable`
    with what to do.
    """
    if spec == "none":
        return None
    version = f"open_clip {package_version('open_clip_torch')}"
    folder = EMBEDDED / "clip" if spec == "embedded" else Path(spec).expanduser()
    if folder.is_dir():
        return clip_folder(folder, version)
    source = source_of(spec)
    if source:
        cached = cached_clip_weights(*source)
        if cached is None:
            raise JudgeUnavailable("clip_weights_absent", model=spec)
        return described("clip", spec, version, CLIP_LICENCES.get(spec, NOT_STATED), REAL_PEOPLE, cached, [cached])
    model, _, rest = spec.partition("/")
    file = Path(rest).expanduser()
    if not rest or not file.suffix:
        raise JudgeUnavailable("clip_unknown", spec=spec, known=", ".join(CLIP_LICENCES))
    if file.suffix.lower() != ".safetensors":
        raise JudgeUnavailable("clip_is_pickle", file=str(file))
    if not file.is_file():
        raise JudgeUnavailable("clip_file_missing", file=str(file))
    return described("clip", f"{model}/{file.stem}", version, NOT_STATED, NOT_STATED, file, [file])


def clip_folder(folder: Path, version: str) -> JudgeInfo:
    """A CLIP judge kept as a folder: weights and model config side by side."""
    weights, configs = folder / CLIP_WEIGHTS, sorted(folder.glob("*.json"))
    if not weights.is_file() or len(configs) != 1:
        raise JudgeUnavailable("clip_unknown", spec=str(folder), known=", ".join(CLIP_LICENCES))
    licence, world, name = NOT_STATED, NOT_STATED, configs[0].stem
    if folder.resolve() == (EMBEDDED / "clip").resolve():
        licence, world, name = EMBEDDED_LICENCE, EMBEDDED_WORLD, "embedded"
    return described("clip", name, version, licence, world, folder, [weights, *configs])


def list_judges() -> list[JudgeInfo]:
    """Every judge that is on this computer: the embedded ones, insightface packs, dlib, cached CLIP weights."""
    found: list[JudgeInfo] = []
    folders = sorted(packs_folder().iterdir()) if packs_folder().is_dir() else []
    for spec in ["embedded", *(folder.name for folder in folders if folder.is_dir()), "dlib"]:
        found += present(face_judge_info, spec)
    for spec in ["embedded", *published()]:
        found += present(clip_judge_info, spec)
    return found


def fitting(kind: str, synthetic: bool) -> str:
    """The first judge of a kind on this computer that was made for synthetic people, or for real ones; else none."""
    world = EMBEDDED_WORLD if synthetic else REAL_PEOPLE
    return next((info.name for info in list_judges() if info.kind == kind and info.world == world), "none")


def present(find: Callable[[str], JudgeInfo | None], spec: str) -> list[JudgeInfo]:
    """The judge in a list, or an empty list if it can't be used here."""
    try:
        info = find(spec)
    except JudgeUnavailable:
        return []
    return [info] if info else []


def described(
    kind: str, name: str, version: str, licence: str, world: str, location: Path, files: list[Path]
) -> JudgeInfo:
    """A judge with the hash of its files in its key."""
    key = f"{kind}/{name}/{version.replace(' ', '-')}/{fingerprint(files)[:16]}"
    return JudgeInfo(key, kind, name, version, licence, world, str(location.resolve()))


def fingerprint(files: list[Path]) -> str:
    """sha256 over the names and contents of files; a file that hasn't changed is read once per process."""
    digest = hashlib.sha256()
    for file in files:
        stat = file.stat()
        digest.update(f"{file.name}\0{file_hash(file, stat.st_size, stat.st_mtime_ns)}\n".encode())
    return digest.hexdigest()


@lru_cache(maxsize=64)
def file_hash(file: Path, size: int, modified_ns: int) -> str:
    """sha256 of a file; size and time of change are part of the cache key only."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@lru_cache
def package_version(*packages: str) -> str:
    """Version of an installed package; of several that hold the same, the first that is there."""
    for package in packages:
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pass
    raise JudgeUnavailable("package_missing", package=packages[0])


def looks_like_path(spec: str) -> bool:
    """Whether ``spec`` is a folder rather than a pack's name: it has a separator in it or starts at home."""
    return any(sign in spec for sign in ("/", "\\", "~", ":")) or spec.startswith(".")


def cached_clip_weights(repository: str, weights: str) -> Path | None:
    """A file of a repository in the hub's local cache, or None. Never asks the network."""
    from huggingface_hub import try_to_load_from_cache

    file = try_to_load_from_cache(repository, weights)
    return Path(file) if isinstance(file, str) else None
