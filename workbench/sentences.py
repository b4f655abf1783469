"""Every reason and status word as a sentence, in one place: tables and messages hold codes and parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainer.config import TrainConfig

REASONS = {
    "cancelled": "Cancelled. What was saved before stays; retry goes on from there.",
    "cancelled_early": "Cancelled before it started.",
    "diverged": "The {what} became infinite or not a number at update {update}. Lower the learning rate, or add "
    "warm-up.",
    "out_of_memory": "Ran out of memory at update {update}. Lower the batch size, the dim or the resolution, then "
    "retry.",
    "bad_photos": "{what}",
    "bad_config": "{what}",
    "bad_base": "{what}",
    "bad_state": "{what}",
    "proof_failed": "The saved file did not read back as it was written: {what}",
    "cannot_write": "A file could not be written: {what}. Make room or check the folder, then retry.",
    "not_calibrated": "{what}",
    "unavailable": "{what}",
    "disk_full": "The disk is full. Make room, then retry: it goes on from the last saved state.",
    "engine_died": "The training process died {attempts} times, last at update {update} (out of memory is the usual "
    "cause). The log has the details.",
    "error": "{what}",
}

STATUS_WORDS = {
    "queued": "waiting",
    "running": "training",
    "done": "done",
    "failed": "failed",
    "cancelled": "cancelled",
    "stopped_early": "stopped early",
}

WORKER_STATES = {
    "starting": "starting",
    "idle": "idle",
    "training": "training",
    "previews": "making previews",
    "scores": "scoring",
    "stopped": "stopped",
}

SCORE_STATUSES = {
    "ok": "ok",
    "no_face": "no face found",
    "several_faces": "several faces: the largest central one counts",
    "small_face": "the face is small: take the value with care",
    "black": "black picture",
    "flat": "picture without content",
    "non_finite": "numbers overflowed while it was made",
    "not_calibrated": "no scale could be measured from the photos",
    "unavailable": "the judge is not there",
    "error": "the judge failed on it",
}

INERT = {
    "adafactor_relative_step": "AdaFactor sets its own step sizes, so this has no effect at all",
    "text_encoder_not_trained": "the text encoder is not trained",
}

SETTING_LABELS = {
    "base_model": "base model",
    "dim": "dim (rank)",
    "alpha": "alpha",
    "lr_scheduler": "schedule",
    "warmup_updates": "warm-up",
    "text_encoder_lr": "text encoder rate",
    "train_text_encoder": "text encoder trained",
    "max_updates": "updates at most",
    "min_snr_gamma": "min-SNR gamma",
    "max_grad_norm": "gradient clipping",
    "flip": "mirrored copies",
}


@dataclass(frozen=True)
class Setting:
    """How a training setting is called, measured and explained."""

    label: str
    unit: str
    help: str


def setting(name: str) -> Setting:
    """Label, unit and one sentence of a training setting (a field of TrainConfig)."""
    field = TrainConfig.model_fields[name]
    extra = field.json_schema_extra
    unit = str(extra.get("unit") or "") if isinstance(extra, dict) else ""
    return Setting(SETTING_LABELS.get(name, name.replace("_", " ")), unit, field.description or "")


def reason(code: str | None, params: Mapping[str, Any]) -> str:
    """Why a run ended as it did, in a sentence that says what to do."""
    if code is None:
        return ""
    known = {"what": params.get("message", code), "update": "?", "attempts": "several", **params}
    return REASONS.get(code, REASONS["error"]).format(**known)


def status_word(status: str) -> str:
    return STATUS_WORDS.get(status, status)


def worker_state(state: str) -> str:
    return WORKER_STATES.get(state, state)


def score_status(status: str) -> str:
    return SCORE_STATUSES.get(status, status)


def inert_reason(code: str) -> str:
    return INERT.get(code, code)
