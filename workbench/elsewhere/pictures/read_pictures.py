"""Read what names and texts say of every picture of a folder, and find out what must be asked."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import PurePosixPath

from workbench.dataset.photo_file import MIN_SIDE_PX
from workbench.elsewhere.names import A1111, NameProblem, lora_number, read_name
from workbench.elsewhere.pictures.contents import Contents, Item
from workbench.elsewhere.pictures.found import Axis, Found, Picture, Question, Reading
from workbench.elsewhere.pictures.infotext import Drawn, Lora, TextProblem
from workbench.elsewhere.pictures.picture_file import LARGEST_PICTURE_PX, BrokenPicture, Header, read_header
from workbench.elsewhere.pictures.prompts_file import PromptsProblem, read_prompts
from workbench.elsewhere.pictures.reading import NamePattern, Values, name_pattern, values
from workbench.elsewhere.pictures.xyz_grid import GridProblem, cells, cut, is_grid
from workbench.elsewhere.problem import Problem

SAMPLES = ("sample", "samples", "images", "")  # folders that say nothing of the LoRA in them
SEVERAL = 3  # of a list in a sentence


@dataclass
class _Reader:
    """What has been read so far of one folder."""

    title: str
    reading: Reading
    pattern: NamePattern | None
    pictures: list[tuple[Picture, tuple[Lora, ...]]] = field(default_factory=list)  # with all LoRAs that it names
    hashed: dict[str, tuple[Lora, ...]] = field(default_factory=dict)  # by the picture's name
    unread: list[str] = field(default_factory=list)  # neither name nor text says anything
    schemes: Counter[str] = field(default_factory=Counter)


def read_pictures(contents: Contents, reading: Reading | None = None) -> Found:
    """Recognise all pictures. Raises PatternProblem for a pattern of the person's that can't be used."""
    asked = reading or Reading()
    reader = _Reader(contents.title, asked, name_pattern(asked.pattern) if asked.pattern else None)
    problems = list(contents.problems)
    for item in contents.pictures:
        try:
            _read(reader, item)
        except BrokenPicture as error:
            problems.append(error.problem)
        except (NameProblem, TextProblem, GridProblem) as error:
            problems.append(Problem(item.name, str(error)))
    if reader.pictures:  # else it is asked
        why = "says nothing of how it was made, neither in its name nor inside."
        problems += [Problem(name, why) for name in reader.unread]
    notes: list[str] = []
    pictures, questions = _choose_subject(reader, problems, notes)
    texts, said = _prompt_texts(contents, asked, problems)
    notes += said
    pictures = [_with_text(picture, texts) for picture in pictures]
    questions += _questions(reader, pictures, questions)
    scheme = " + ".join(name for name, _ in reader.schemes.most_common())
    if not any(question.needed for question in questions):
        notes += _notes(pictures, asked)
    return Found(scheme, tuple(pictures), tuple(problems), tuple(questions), tuple(notes), tuple(contents.skipped))


def _read(reader: _Reader, item: Item) -> None:
    """One file: a picture, or a grid of several."""
    header = read_header(item.file, item.name)
    drawn = header.drawn
    reading = reader.reading
    if drawn and is_grid(drawn):
        reader.schemes["grid"] += 1
        for number, (box, cell) in enumerate(cells(drawn, header.width, header.height), start=1):
            picture = Picture(f"{item.name} [{number}]", item.file, box)
            reader.pictures.append((_drawn(picture, cell), cell.loras))
        return
    if reading.columns is not None and reading.rows is not None:
        reader.schemes["grid"] += 1
        for picture in _person_grid(item, header, reading, reading.columns, reading.rows):
            reader.pictures.append((_named_lora(reader, _drawn(picture, drawn)), drawn.loras if drawn else ()))
        return
    if max(header.width, header.height) > LARGEST_PICTURE_PX:
        raise BrokenPicture(
            item.name, f"is {header.width} x {header.height} px: too large for one picture. Is it a grid? Say so."
        )
    _read_single(reader, item, header)


def _read_single(reader: _Reader, item: Item, header: Header) -> None:
    """One picture: what the person's pattern says goes first, then its name, then its text."""
    drawn, loras = header.drawn, header.drawn.loras if header.drawn else ()
    picture = _drawn(Picture(item.name, item.file), drawn)
    if reader.pattern:
        words = reader.pattern.read(item.name)
        if words is None:
            raise NameProblem(f"doesn't fit the pattern '{reader.pattern.written}'.")
        reader.schemes["pattern"] += 1
        told = values(words)
        reader.pictures.append((_named_lora(reader, _valued(picture, told)), () if told.lora else loras))
        return
    named = read_name(item.name)
    if named:
        reader.schemes[named.scheme] += 1
        picture = replace(
            picture,
            lora=named.lora or _folder_name(reader.title, item.name),
            number=named.number,
            counted=named.counted,
            prompt=named.prompt,
            seed=named.seed if named.seed is not None else picture.seed,
            strength=reader.reading.strength,
        )
        reader.pictures.append((replace(picture, lora_name=_counted_name(picture)), ()))
    elif drawn:
        if _several_in_one(header):
            raise GridProblem(
                f"is {header.width} x {header.height} px but says 'Size' {drawn.parameters['Size']}: it seems to be a "
                "grid of several pictures. Leave it out, or give it alone and say its columns and rows."
            )
        reader.schemes[header.scheme] += 1
        reader.pictures.append((picture, loras))
        reader.hashed[item.name] = drawn.hashed
    else:
        reader.unread.append(item.name)


def _several_in_one(header: Header) -> bool:
    """Whether a picture without a script is the sheet that A1111 makes of a batch: more columns than rows, or fewer.

    As many of both may be an enlarged picture.
    """
    drawn = header.drawn
    if not drawn or not drawn.size_px or any(key.startswith("Hires") for key in drawn.parameters):
        return False
    w, h = drawn.size_px
    return header.width % w == 0 and header.height % h == 0 and header.width // w != header.height // h


def _drawn(picture: Picture, drawn: Drawn | None) -> Picture:
    """A picture with what its text says, but for its LoRA."""
    if drawn is None:
        return picture
    return replace(
        picture,
        seed=drawn.seed,
        text=drawn.prompt,
        negative=drawn.negative,
        steps=drawn.steps,
        cfg=drawn.cfg,
        sampler=drawn.sampler,
        model=drawn.model,
        clip_skip=drawn.clip_skip,
        size_px=drawn.size_px,
    )


def _valued(picture: Picture, told: Values) -> Picture:
    """A picture with what a pattern or an axis says of it."""
    number, counted = (told.epoch, "epochs") if told.epoch is not None else (told.updates, "updates")
    changes: dict[str, object] = {}
    if number is not None:
        changes |= {"number": number, "counted": counted}
    for name in ("lora", "strength", "seed", "prompt", "text"):
        if getattr(told, name) is not None:
            changes[name] = getattr(told, name)
    return replace(picture, **changes)  # type: ignore[arg-type]


def _named_lora(reader: _Reader, picture: Picture) -> Picture:
    """A picture whose name or grid tells a number but no LoRA is of the folder's; the name may hold the number too."""
    if picture.lora is None:
        if picture.number is None:
            return picture
        read = reader.pattern.folders if reader.pattern else 0
        return replace(picture, lora=_folder_name(reader.title, picture.name, read), lora_name=_counted_name(picture))
    stem, number, counted = lora_number(picture.lora)
    if picture.number is None:
        return replace(picture, lora=stem, lora_name=picture.lora, number=number, counted=counted)
    return replace(picture, lora_name=_counted_name(picture))


def _counted_name(picture: Picture) -> str:
    what = "epoch" if picture.counted == "epochs" else "update"
    return f"{picture.lora or ''} {what} {picture.number}".strip()


def _folder_name(title: str, name: str, read: int = 0) -> str:
    """What a LoRA is called whose pictures don't say: their folder, unless that is called samples.

    ``read``: so many of the folders above the picture have said something else, by a pattern.
    """
    above = PurePosixPath(name).parts[:-1]
    folders = [part for part in above[: len(above) - read] if part.lower() not in SAMPLES]
    folder = folders[-1] if folders else PurePosixPath(title).stem
    return folder if folder.lower() not in SAMPLES else "LoRA"


def _person_grid(item: Item, header: Header, reading: Reading, columns: int, rows: int) -> list[Picture]:
    """The cells of a grid whose axes a person gave."""
    for name, axis, n in (("x", reading.x, columns), ("y", reading.y, rows)):
        if axis and len(axis.values) != n:
            raise GridProblem(
                f"has {n} {'columns' if name == 'x' else 'rows'}, but {len(axis.values)} values are given for {name}."
            )
    boxes = cut(header.width, header.height, columns, rows)
    if min(boxes[0][2] - boxes[0][0], boxes[0][3] - boxes[0][1]) < MIN_SIDE_PX:
        raise GridProblem(f"has cells of under {MIN_SIDE_PX} px when it is cut into {columns} x {rows}.")
    found = []
    for number, (box, (row, column)) in enumerate(zip(boxes, product(range(rows), range(columns)), strict=True), 1):
        picture = Picture(f"{item.name} [{number}]", item.file, box, strength=reading.strength)
        for axis, at in ((reading.x, column), (reading.y, row)):
            if axis:
                picture = _valued(picture, _axis_value(axis, axis.values[at]))
        found.append(picture)
    return found


def _axis_value(axis: Axis, value: str) -> Values:
    return Values(text=value) if axis.kind == "prompt" else values({axis.kind: value})


# whose LoRA it is


def _choose_subject(reader: _Reader, problems: list[Problem], notes: list[str]) -> tuple[list[Picture], list[Question]]:
    """Give every picture the one LoRA that is judged; ask where several could be it."""
    _take_hashed(reader, notes)
    stems: dict[str, set[int | None]] = {}  # LoRA -> its numbers
    together = False  # whether one prompt names several
    for _, loras in reader.pictures:
        together |= len({lora_number(lora.name)[0] for lora in loras}) > 1
        for lora in loras:
            stem, number, _ = lora_number(lora.name)
            stems.setdefault(stem, set()).add(number)
    chosen = reader.reading.subject
    questions = []
    if chosen and chosen not in stems and stems:
        problems.append(Problem(reader.title, f"names no LoRA '{chosen}'. It names {_few(sorted(stems))}."))
    if together and chosen is None:
        changing = [stem for stem, seen in stems.items() if len(seen) > 1]
        if len(changing) == 1:
            chosen = changing[0]
            notes.append(f"Several LoRAs are in the prompts: '{chosen}' is judged, since only its epochs change.")
        else:
            text = "The prompts name several LoRAs. Which one is the subject's?"
            questions.append(Question("subject", text, tuple(sorted(stems))))
    usual = reader.reading.strength
    return [_of_subject(picture, loras, chosen, usual) for picture, loras in reader.pictures], questions


def _take_hashed(reader: _Reader, notes: list[str]) -> None:
    """Where no prompt names a LoRA, take those of the lines of hashes: prompts can be stored without their tags."""
    if not any(reader.hashed.values()) or any(picture.lora or loras for picture, loras in reader.pictures):
        return
    reader.pictures = [(picture, reader.hashed.get(picture.name, ())) for picture, _ in reader.pictures]
    notes.append(
        f"The prompts name no LoRA, but 'Lora hashes' does: its strength is taken as {reader.reading.strength:g}."
    )


def _of_subject(picture: Picture, loras: Sequence[Lora], subject: str | None, usual: float) -> Picture:
    """A picture with the LoRA that is judged; ``usual``: its strength where none is said."""
    if picture.lora is not None or not loras:
        return picture
    for lora in loras:
        stem, number, counted = lora_number(lora.name)
        if subject in (None, stem):
            short = PurePosixPath(lora.name.replace("\\", "/")).name.removesuffix(".safetensors")
            own = {"lora": stem, "lora_name": short, "strength": usual if lora.strength is None else lora.strength}
            if picture.number is None:
                own |= {"number": number, "counted": counted}
            return replace(picture, **own)  # type: ignore[arg-type]
    return picture


# prompts


def _prompt_texts(contents: Contents, asked: Reading, problems: list[Problem]) -> tuple[tuple[str, ...], list[str]]:
    """Texts of prompts that only have a number: the person's, else those of the first file of prompts."""
    if asked.prompts or not contents.prompts:
        return asked.prompts, []
    item = contents.prompts[0]
    try:
        return read_prompts(item.file), [f"The prompts are those of {item.name}."]
    except PromptsProblem as error:
        problems.append(Problem(item.name, str(error)))
        return (), []


def _with_text(picture: Picture, texts: Sequence[str]) -> Picture:
    if picture.text is None and picture.prompt is not None and picture.prompt < len(texts):
        return replace(picture, text=texts[picture.prompt])
    return picture


# what to ask and to say


def _questions(reader: _Reader, pictures: Sequence[Picture], asked: Sequence[Question]) -> list[Question]:
    """What else must or may be said, besides what is ``asked`` already."""
    found = []
    if reader.unread and not reader.pictures:
        found.append(
            Question(
                "pattern",
                f"Nothing says how {_few(reader.unread)} {'was' if len(reader.unread) == 1 else 'were'} made. How are "
                f"the names put together? For instance {_likely(reader.unread)}. Is it a grid? Then say its columns "
                "and rows instead.",
            )
        )
    if pictures and not any(picture.lora for picture in pictures):
        found.append(
            Question("pattern", "No picture names a LoRA. How are the names put together? For instance {lora}_{any}.")
        )
    numbers = {picture.prompt for picture in pictures if picture.text is None and picture.prompt is not None}
    if numbers:
        text = f"What are the {max(numbers) + 1} prompts? Without their texts prompt adherence isn't measured."
        found.append(Question("prompts", text, needed=False))
    if _unnumbered(pictures) and not any(question.needed for question in asked):
        text = "Which epoch is the LoRA file without a number?"
        found.append(Question("last", text, needed=False))
    return found


def _likely(names: Sequence[str]) -> str:
    """An example of a pattern; one that fits where A1111 or Forge named pictures and the text inside is lost."""
    stems = [PurePosixPath(name).stem for name in names]
    if not all(A1111.fullmatch(stem) for stem in stems):
        return "{lora}_{epoch}_{strength}_{seed}_{any}"
    long = all(stem.count("-") > 1 for stem in stems)
    pattern = "{lora}/{any}-{seed}-{text}" if long else "{lora}/{any}-{seed}"
    return f"{pattern}, if the folders have the LoRA files' names"


def _unnumbered(pictures: Sequence[Picture]) -> list[str]:
    return sorted({picture.lora for picture in pictures if picture.lora and picture.number is None})


def _notes(pictures: Sequence[Picture], asked: Reading) -> list[str]:
    notes = []
    if any(picture.lora and picture.seed is None for picture in pictures):
        notes.append(
            "Some names carry no seed: their pictures are numbered, and pairs of the same number are no real pairs."
        )
    last = _unnumbered(pictures)
    if last and asked.last is None:
        notes.append(f"{_few(last)} without a number is taken as the end of its training.")
    if any(picture.lora and (picture.strength == 0 or picture.number == 0) for picture in pictures):
        notes.append("Pictures at strength 0 or before the first update show the base model: they are the base row.")
    for what, seen in (
        ("samplers", {picture.sampler for picture in pictures if picture.sampler}),
        ("guidance scales", {f"{picture.cfg:g}" for picture in pictures if picture.cfg is not None}),
        ("steps", {str(picture.steps) for picture in pictures if picture.steps is not None}),
        ("negative prompts", {picture.negative for picture in pictures if picture.text is not None}),
    ):
        if len(seen) > 1:
            notes.append(f"They were drawn with {len(seen)} different {what}: differences may come from that.")
    return notes


def _few(names: Sequence[str]) -> str:
    more = len(names) - SEVERAL
    return ", ".join(names[:SEVERAL]) + (f" and {more} more" if more > 0 else "")
