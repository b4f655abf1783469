"""Fetch a judge's weights: the only place that does, called by nothing but a person's explicit command."""

import contextlib
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from workbench.judges.find import (
    CLIP_LICENCES,
    INSIGHTFACE_LICENCE,
    INSIGHTFACE_PACKS,
    NOT_STATED,
    clip_judge_info,
    face_judge_info,
    packs_folder,
)
from workbench.judges.info import JudgeInfo, JudgeUnavailable
from workbench.judges.published import source_of

PACK_SOURCE = "https://github.com/deepinsight/insightface/releases/download/model-zoo/{pack}.zip"


def download_source(spec: str) -> tuple[str, str]:
    """Where ``spec`` would come from and under which licence: to be shown before anything is fetched."""
    if spec in INSIGHTFACE_PACKS:
        return PACK_SOURCE.format(pack=spec), INSIGHTFACE_LICENCE
    clip = source_of(spec)
    if clip:
        repository, weights = clip
        return f"https://huggingface.co/{repository} ({weights})", CLIP_LICENCES.get(spec, NOT_STATED)
    known = ", ".join([*INSIGHTFACE_PACKS, *CLIP_LICENCES])
    raise JudgeUnavailable("download_unknown", spec=spec, known=known)


def download_judge(spec: str) -> JudgeInfo:
    """Fetch a face pack or CLIP weights from their publisher and return the judge.

    Raises :class:`JudgeUnavailable` for an unknown name or a failed download; nothing half-fetched is left
    under the final name.
    """
    source, _ = download_source(spec)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # both libraries print; stdout may be JSON
            if spec in INSIGHTFACE_PACKS:
                download_pack(spec, source)
            else:
                from huggingface_hub import hf_hub_download

                clip = source_of(spec)
                assert clip is not None  # download_source has found it
                hf_hub_download(*clip)
    except (OSError, RuntimeError, zipfile.BadZipFile) as error:
        raise JudgeUnavailable("download_failed", spec=spec, source=source, why=str(error)) from error
    info = face_judge_info(spec) if spec in INSIGHTFACE_PACKS else clip_judge_info(spec)
    assert info is not None  # only "none" gives None
    return info


def download_pack(pack: str, source: str) -> None:
    """Fetch and unpack a face pack into insightface's folder."""
    from insightface.utils.download import download_file

    packs_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=packs_folder(), prefix=".download-") as temporary:
        archive = Path(temporary) / f"{pack}.zip"
        download_file(source, path=str(archive), overwrite=True)
        unpack_pack(archive, packs_folder() / pack)


def unpack_pack(archive: Path, target: Path) -> None:
    """Put the .onnx files of a pack's archive into ``target``, whole or not at all.

    Some of insightface's archives hold the files directly, some in a folder of their own.
    """
    part = archive.with_suffix(".part")
    part.mkdir()
    with zipfile.ZipFile(archive) as files:
        for member in files.infolist():
            if member.filename.endswith(".onnx"):
                with files.open(member) as packed, (part / Path(member.filename).name).open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked)
    if target.exists():
        shutil.rmtree(target)
    os.replace(part, target)
