"""Judges: scorers by name, each with its version, licence and world (this package is torch-free)."""

from workbench.judges.download import download_judge
from workbench.judges.find import clip_judge_info, face_judge_info, fitting, list_judges
from workbench.judges.info import SENTENCES, JudgeInfo, JudgeUnavailable
from workbench.judges.world import WrongWorld

__all__ = [
    "SENTENCES",
    "JudgeInfo",
    "JudgeUnavailable",
    "WrongWorld",
    "clip_judge_info",
    "download_judge",
    "face_judge_info",
    "fitting",
    "list_judges",
]
