"""Train one pattern from the command line: python -m trainer CONFIG.json PHOTOS OUT."""

import argparse
import dataclasses
import signal
import sys
from pathlib import Path
from typing import Any

from trainer.config import ConfigError, parse_config
from trainer.events import Failed, Progress, Saved, Started, Stopped

EPILOG = """
PHOTOS is a folder of pictures with a caption each: photo.jpg and photo.txt. A pattern whose "captions" is
trigger_only needs --trigger and --class-noun, one with traits_left_out the phrases to leave out in --traits.
OUT gets NAME*.safetensors (kohya format), loss.jsonl and state/. Ctrl-C saves the state and stops;
the same command goes on from there. --continue goes on from a finished run of the same pattern, seed and
photos to more epochs, updates or images; OUT then is another folder and gets the later files.

exit code: 0 trained, 1 training failed, 2 wrong call, pattern, photo or base, 130 stopped by Ctrl-C
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        config = parse_config(options.config.read_text(encoding="utf-8-sig"))
    except (OSError, ConfigError) as error:
        return _say(f"{options.config}: {error}")
    if problem := _missing(config.captions, options):
        return _say(problem)

    from trainer.base import BaseModelError, load_base
    from trainer.data import PhotoError, read_folder
    from trainer.device import DeviceError, probe
    from trainer.lora import Job

    try:
        photos, reference = (
            [as_trained(photo, config.captions, options) for photo in read_folder(folder)] if folder else []
            for folder in (options.photos, options.reference)
        )
        device = probe(options.device)
        base = load_base(config.base_model, device)  # in fp32, as the app loads it: the same LoRA from both
    except (PhotoError, BaseModelError, DeviceError) as error:
        return _say(str(error))
    job = Job(
        run=options.name,
        config=config,
        seed=options.seed,
        photos=photos,
        out=options.out,
        name=options.name,
        trigger=options.trigger,
        class_noun=options.class_noun,
        reference=reference,
        continues=options.goes_on and options.goes_on / "state",
    )
    return _train(base, job, options.previews)


def _missing(mode: str, options: argparse.Namespace) -> str | None:
    """What the pattern's captions need and the command does not say."""
    if mode == "trigger_only" and not (options.trigger and options.class_noun):
        return "This pattern's captions are trigger_only. Add --trigger and --class-noun, such as zwx and woman."
    if mode == "traits_left_out" and not options.traits:
        return "This pattern's captions leave traits out. Name them with --traits, such as 'red hair' freckles."
    return None


def as_trained(photo: Any, mode: str, options: argparse.Namespace) -> Any:
    """The photo with its caption as the pattern wants it."""
    from trainer.captions import caption_as

    caption = caption_as(mode, photo.caption, options.trigger, options.class_noun, options.traits)
    return dataclasses.replace(photo, caption=caption)


def _train(base: Any, job: Any, prompts: list[str]) -> int:
    """Train with a progress line; Ctrl-C asks the job to stop, a second one kills."""
    from trainer.lora import train

    def stop(*_: Any) -> None:
        job.stop = "cancelled"
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, stop)
    shown = -1
    try:
        for event in train(base, [job], cache=job.out / "cache"):
            if isinstance(event, Started):
                _show(f"{event.total_updates} updates on {event.device}, from update {event.resumed_at}")
            elif isinstance(event, Progress):
                shown = _progress(event, shown)
            elif isinstance(event, Saved):
                _show(f"saved {job.out / event.file} ({event.modules} modules, {event.bytes / 1e6:.1f} MB)")
                if event.weight_change:  # a file of an earlier version, told once more on resume, was not measured
                    _show(_measured(event))
                _previews(base, job, event.file, prompts)
            elif isinstance(event, Stopped):
                _show(f"stopped after update {event.update}; the same command goes on from there")
                return 130
            elif isinstance(event, Failed):
                return _say(f"failed ({event.reason}) at update {event.update}: {event.params['what']}", 1)
    finally:
        signal.signal(signal.SIGINT, before)
    return 0


def _progress(event: Progress, shown: int) -> int:
    """The progress line: rewritten on a terminal, else one for each ten percent; returns the tenth."""
    part = event.update / event.total_updates
    rate = event.update / event.seconds
    left = round((event.total_updates - event.update) / rate)
    line = (
        f"update {event.update}/{event.total_updates} {part:4.0%}  loss {event.loss:.4f}  "
        f"{rate:.1f} updates/s  {left // 60}:{left % 60:02d} left"
    )
    if sys.stdout.isatty():
        print(f"\r{line} ", end="", flush=True)
    elif int(part * 10) > shown:
        print(line, flush=True)
    return int(part * 10)


def _measured(event: Saved) -> str:
    """What was measured of a saved file, in a line."""
    parts = [f"weights changed by {event.weight_change['all']:.2%}", f"loss {event.loss_train:.4f} on train photos"]
    if event.loss_reference is not None:
        parts.append(f"{event.loss_reference:.4f} on reference photos")
    return "  " + ", ".join(parts)


def _previews(base: Any, job: Any, file: str, prompts: list[str]) -> None:
    """Draw each prompt with the saved file, into OUT/previews."""
    from PIL import Image

    from trainer.preview import Cell, Sampling, render

    folder = job.out / "previews"
    cells = [Cell(f"{Path(file).stem}-{n}", prompt, job.seed) for n, prompt in enumerate(prompts, 1)]
    for picture in render(base, job.out / file, cells, Sampling(clip_skip=job.config.clip_skip)):
        folder.mkdir(exist_ok=True)
        Image.fromarray(picture.pixels).save(folder / f"{picture.cell.key}.png")
        _show(f"drew {folder / picture.cell.key}.png")


def _show(line: str) -> None:
    print(f"\r{line:78}" if sys.stdout.isatty() else line, flush=True)


def _say(problem: str, code: int = 2) -> int:
    print(f"\n{problem}" if sys.stdout.isatty() else problem, file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m trainer",
        description="Train a LoRA from one pattern and a folder of photos.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path, metavar="CONFIG.json", help="the pattern: a JSON object of settings")
    parser.add_argument("photos", type=Path, metavar="PHOTOS", help="folder of photos, a .txt caption beside each")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for the LoRA files")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default 0)")
    parser.add_argument("--device", help="cuda, cuda:1, mps or cpu (default: the best that works)")
    parser.add_argument("--name", default="lora", help="name of the LoRA files (default lora)")
    parser.add_argument("--trigger", default="", help="trigger word, written into the files")
    parser.add_argument("--class-noun", default="", metavar="NOUN", help="what the subject is, such as woman")
    parser.add_argument(
        "--traits", nargs="+", default=[], metavar="PHRASE", help="permanent traits that captions leave out"
    )
    parser.add_argument(
        "--reference", type=Path, metavar="FOLDER", help="photos to measure the loss on, never trained on"
    )
    parser.add_argument(
        "--continue", type=Path, dest="goes_on", metavar="OUT", help="folder of the finished run to go on from"
    )
    parser.add_argument(
        "--previews", nargs="+", default=[], metavar="PROMPT", help="draw these prompts with each saved file"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
