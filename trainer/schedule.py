"""Learning-rate schedules: what the rate is multiplied with at each update."""

import math

from trainer.config import TrainConfig

LAST_RATE = 1e-7  # where `polynomial` ends, in diffusers, transformers and so in sd-scripts


def rate_factor(config: TrainConfig, update: int, total: int) -> float:
    """What the learning rate is multiplied with at this update (1 = the first) of `total`.

    As in diffusers' get_scheduler and sd-scripts with s = update - 1: s / warmup while warming up, then with
    p = (s - warmup) / (total - warmup) constant 1, linear 1 - p, cosine (1 + cos(pi p)) / 2, cosine with n
    restarts the same over the fraction of n p, polynomial (1 - end) (1 - p)^power + end, where end is
    1e-7 / learning_rate. So the first update of a warm-up has rate 0, and the end is reached one update after
    the last. A rate that is below 1e-7 from the start stays as it is (diffusers refuses it).
    """
    done, warmup = update - 1, config.warmup_updates
    if done < warmup:
        return done / warmup
    part = (done - warmup) / max(1, total - warmup)
    match config.lr_scheduler:
        case "constant":
            return 1.0
        case "linear":
            return 1 - part
        case "cosine":
            return (1 + math.cos(math.pi * part)) / 2
        case "cosine_with_restarts":
            return (1 + math.cos(math.pi * (config.lr_cycles * part % 1))) / 2
        case "polynomial":
            end = min(1.0, LAST_RATE / config.learning_rate)
            return (1 - end) * (1 - part) ** config.lr_power + end
