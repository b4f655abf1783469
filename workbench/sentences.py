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
    "outside_world": "{what}",
    "disk_full": "The disk is full. Make room, then retry: it goes on from the last saved state.",
    "engine_died": "The training process died {attempts} times, last at update {update} (out of memory is the usual "
    "cause). The log has the details.",
    "error": "{what}",
}

STANDSTILLS = {  # why nothing trains
    "paused": "The queue is paused. Nothing trains and no pictures are made until it is resumed.",
    "outside_window": "Outside its hours ({window}) the queue rests. It goes on by itself at {opens}.",
    "low_disk": "The disk is nearly full: {free_gb} GB are free and {needed_gb} GB are needed for the next files. "
    "Make room (the bin, other files); then it goes on by itself. What was trained is saved.",
}

CAN_NOT_CONTINUE = {  # why a finished run can't be trained longer; codes of trainer.effective.can_continue
    "not_longer": "It has as many updates already. Choose more.",
    "other_settings": "The two patterns differ in more than their length. Retrain the new one instead.",
    "schedule_has_an_end": "Its learning rate falls towards the end of the training, so a longer one would have had "
    "other rates from the start. Retrain the pattern with more epochs instead.",
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
    "halted": "waiting",
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
    "outside_world": "the judge was not made for such pictures",
    "no_prompt": "its prompt is not known",
    "final_run": "trained on the reference photos too: they can't judge it",
    "error": "the judge failed on it",
}

IN_FP32 = {
    "fine": "broken in half precision, fine in fp32: the weights are sound, but their numbers are too large for fp16. "
    "Use a lower strength, or in a WebUI --no-half (--no-half-vae or a VAE made for fp16 where only the VAE overflows; "
    "here it always decodes in fp32)",
    "broken": "broken in fp32 too: the weights are broken, and no precision helps",
}

INERT = {
    "adafactor_relative_step": "AdaFactor sets its own step sizes, so this has no effect at all",
    "adafactor_no_betas": "AdaFactor keeps no such memory",
    "sgd_no_beta2": "SGD keeps no memory of the gradient's size",
    "one_rate_for_all": "this optimiser finds one step size for all that is trained",
    "text_encoder_not_trained": "the text encoder is not trained",
    "schedule_has_no_cycles": "only the schedule cosine_with_restarts has cycles",
    "schedule_has_no_power": "only the schedule polynomial has a power",
    "no_convolutions": "the convolutions are not trained: give them a dim first",
    "caption_has_one_part": "the caption is the trigger word and the class noun alone: there is nothing to shuffle",
}

DANGERS = {  # code -> (why, what to do; source)
    "adam_rate_high": (
        "rate {rate} is {times} times the usual {usual}: both matrices of the LoRA grow by it each update, so it "
        "breaks whatever alpha is. Lower it.",
        "sd-scripts' and diffusers' LoRA examples use 1e-4; tried on the miniature",
    ),
    "lion_rate_high": (
        "rate {rate} under Lion, which moves every value by exactly the rate each update: pictures turn black or to "
        "noise. Start at {usual}.",
        "Chen et al. 2023, section 5: 3 to 10 times below AdamW's; the article's 25 was black at 0.01",
    ),
    "full_scale_high_rate": (
        "alpha is as large as dim or larger (scale {scale}) at rate {rate}: rate x scale is {felt}, where {usual} is "
        "usual: it overtrains or breaks. Lower the rate, or alpha.",
        "step size = rate x alpha / dim, sd-scripts networks/lora.py; docs/patterns.md: 3 times the usual is noise",
    ),
    "felt_rate_high": (
        "rate x scale is {felt}, where {usual} is usual: it overtrains or breaks. Lower the rate, or alpha.",
        "step size = rate x alpha / dim, sd-scripts networks/lora.py",
    ),
    "hardly_moves": (
        "in {updates} updates at rate {rate} no value moves by more than {drift}, and scale {scale} is applied to "
        "that: the pictures will hardly differ from the base model's. Raise the rate or alpha.",
        "change = scale x up x down; tried on the miniature; sd-scripts' threads #98 and #1834",
    ),
    "own_step_rate_low": (
        "rate {rate} multiplies the step size that this optimiser finds itself, so it takes {rate} of it. Set {usual}.",
        "sd-scripts library/train_util.py warns at 0.1 and below and recommends 1; the miniature: docs/patterns.md",
    ),
    "own_step_rate_high": (
        "rate {rate} multiplies the step size that this optimiser finds itself: it breaks. Set {usual}.",
        "Defazio & Mishchenko 2023; Mishchenko & Defazio 2023: 1; tried on the miniature: D-Adaptation wants 0.1 there",
    ),
    "coupled_decay": (
        "this optimiser adds weight decay {decay} to the gradient, and a LoRA's gradients are smaller than that: it "
        "holds the weights near zero. Set weight decay 0, or take AdamW.",
        "torch Adam and SGD: L2, not decoupled (Loshchilov & Hutter 2019); tried on the miniature: docs/patterns.md",
    ),
    "sgd_hardly_moves": (
        "SGD moves by rate x gradient, and a LoRA's gradients are small: at {rate} hardly anything changes. Try a rate "
        "of 0.1 to 1, or AdamW.",
        "torch SGD; the article's SGDNesterov at 1e-4; tried on the miniature",
    ),
    "text_encoder_rate_high": (
        "the text encoder's rate {te} is above the U-Net's {rate}: it forgets words sooner than it learns a face. Half "
        "of the U-Net's rate is usual.",
        "sd-scripts' LoRA guide: 5e-5 beside 1e-4",
    ),
    "bnb_sgd_without_nesterov": (
        "bitsandbytes ignores nesterov: this is SGD with plain momentum, and no 8-bit counterpart of sgd_nesterov.",
        "bitsandbytes optim/sgd.py",
    ),
    "eight_bit_small_tensors": (
        "memory of tensors under 4,096 values stays in 32 bits: at dim {dim} of every module narrower than {width}. "
        "There it is the 32-bit optimiser, and saves nothing.",
        "bitsandbytes optim/optimizer.py, min_8bit_size",
    ),
    "no_clipping": (
        "without gradient clipping one large gradient (or an overflow in fp16) can wreck the LoRA. 1 is usual.",
        "sd-scripts --max_grad_norm 1.0",
    ),
    "dropout_high": (
        "dropout {dropout} leaves out half of the LoRA or more in every update. 0.1 is usual.",
        "sd-scripts --network_dropout, whose example is 0.1",
    ),
    "noise_offset_high": (
        "noise offset {offset} shifts brightness far more than the usual 0.05 to 0.1: pictures come out too dark or "
        "too light.",
        "Guttenberg 2023",
    ),
    "dropout_of_the_trigger": (
        "the caption is the trigger word and the class noun alone, and dropout shows photos without it: so the face is "
        "learned for every prompt, with and without the trigger word. Set caption dropout to 0.",
        "sd-scripts caption_dropout_rate: the photo is shown with an empty caption",
    ),
    "caption_dropout_high": (
        "{share} % of the photos are shown without a caption: the trigger word is hardly learned, and the face leaks "
        "into other prompts. 5 to 10 % is usual.",
        "sd-scripts caption_dropout_rate",
    ),
    "less_than_an_epoch": (
        "it stops after {seen} images, before one epoch ({epoch}) is over: some photos are never seen as often as "
        "asked, or not at all.",
        "updates = images x repeats / batch",
    ),
    "all_warm_up": (
        "the warm-up takes {warmup} of {total} updates: the rate is never, or hardly ever, what was asked for.",
        "diffusers get_scheduler",
    ),
    "batch_above_epoch": (
        "a batch of {batch} is more than an epoch holds ({epoch}): every update sees just the epoch.",
        "sd-scripts: a batch ends with the epoch",
    ),
}

SETTING_LABELS = {
    "base_model": "base model",
    "dim": "dim (rank)",
    "alpha": "alpha",
    "conv_dim": "dim of convolutions",
    "conv_alpha": "alpha of convolutions",
    "rslora": "rsLoRA scale",
    "dora": "DoRA",
    "lr_scheduler": "schedule",
    "lr_cycles": "cycles of the schedule",
    "lr_power": "power of the schedule",
    "beta1": "beta 1",
    "beta2": "beta 2",
    "warmup_updates": "warm-up",
    "text_encoder_lr": "text encoder rate",
    "train_text_encoder": "text encoder trained",
    "max_updates": "updates at most",
    "max_images": "images at most",
    "shuffle_captions": "captions shuffled",
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


def standstill(code: str, params: Mapping[str, Any]) -> str:
    """Why no work is done now, and when or how it goes on."""
    return STANDSTILLS[code].format(**params)


def can_not_continue(code: str) -> str:
    """Why a finished run can't be trained longer, and what to do."""
    return CAN_NOT_CONTINUE[code]


def status_word(status: str) -> str:
    return STATUS_WORDS.get(status, status)


def worker_state(state: str) -> str:
    return WORKER_STATES.get(state, state)


def score_status(status: str) -> str:
    return SCORE_STATUSES.get(status, status)


def in_fp32(status: str | None) -> str:
    """What it says of a picture broken in half precision how it came out in fp32; empty where it wasn't tried."""
    if status is None:
        return ""
    return IN_FP32["fine" if status == "ok" else "broken"]


def inert_reason(code: str) -> str:
    return INERT.get(code, code)


def danger(code: str, params: Mapping[str, Any]) -> str:
    """Why a setting is dangerous, what to do, and where that is known from."""
    why, source = DANGERS[code]
    return f"{why.format(**params)} ({source})"
