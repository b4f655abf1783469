"""List what a person gave: a folder with sub-folders, a zip archive, or one picture. Archives are unpacked safely."""

import os
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from workbench.dataset.photo_folder import counting_order
from workbench.elsewhere.pictures.found import PicturesError
from workbench.elsewhere.pictures.picture_file import LARGEST_BYTES, SUFFIXES
from workbench.elsewhere.pictures.prompts_file import is_prompts_file
from workbench.elsewhere.problem import Problem

MOST_FILES = 20_000
MOST_ENTRIES = 100_000  # of an archive, all kinds
DEEPEST = 6  # folders below the one that was given
LARGEST_ARCHIVE_BYTES = 8_000_000_000  # of all files in it, unpacked
HIGHEST_RATIO = 200  # unpacked : packed; PNG and JPEG hardly shrink at all
ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".gz", ".bz2", ".xz", ".tgz", ".zst")
PIECE = 1 << 20  # bytes that are unpacked at a time


@dataclass(frozen=True)
class Item:
    """A file: its name from the folder that was given, with forward slashes, and where it lies."""

    name: str
    file: Path


@dataclass
class Contents:
    """Pictures in counting order, files of prompts, files that are neither, and what is wrong."""

    title: str  # the folder's or archive's own name
    pictures: list[Item] = field(default_factory=list)
    prompts: list[Item] = field(default_factory=list)
    skipped: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def take(self, name: str, file: Path) -> None:
        """Put a file where it belongs."""
        if PurePosixPath(name).suffix.lower() in SUFFIXES:
            self.pictures.append(Item(name, file))
        elif is_prompts_file(name):
            self.prompts.append(Item(name, file))
        elif PurePosixPath(name).suffix.lower() in ARCHIVES:
            self.problems.append(Problem(name, "is an archive inside: unpack it first, or give it by itself."))
        else:
            self.skipped.append(Problem(name, "is no PNG, JPEG or WebP picture."))

    def sorted(self) -> "Contents":
        self.pictures.sort(key=lambda item: counting_order(item.name))
        return self


@contextmanager
def opened(source: Path) -> Iterator[Contents]:
    """The contents of a folder, a zip archive (unpacked for as long as this lasts) or a single picture.

    Raises PicturesError where nothing is there, or an archive is damaged.
    """
    if source.is_dir():
        yield in_folder(source)
    elif not source.is_file():
        raise PicturesError(f"There is no folder, archive or picture {shown(str(source))}. Correct the path.")
    elif zipfile.is_zipfile(source) or source.suffix.lower() in ARCHIVES:
        with tempfile.TemporaryDirectory(prefix="pictures-") as place:
            yield unpacked(source, Path(place))
    else:
        contents = Contents(source.parent.name)
        contents.take(shown(source.name), source)
        yield contents


def in_folder(folder: Path) -> Contents:
    """Files of a folder and its sub-folders; hidden ones are left out, links are problems. At most MOST_FILES."""
    contents = Contents(shown(folder.resolve().name))
    n = 0
    for place, folders, files in os.walk(folder):
        depth = len(Path(place).relative_to(folder).parts)
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if depth < DEEPEST else []
        for name in sorted(files):
            path = Path(place, name)
            called = path.relative_to(folder).as_posix()
            if name.startswith("."):
                continue
            n += 1
            if n > MOST_FILES:
                raise PicturesError(f"{contents.title} holds more than {MOST_FILES} files. Give a smaller folder.")
            if shown(called) != called:
                contents.problems.append(Problem(shown(called), "has a name that isn't UTF-8: rename it."))
            elif path.is_symlink():
                contents.problems.append(Problem(called, "is a link to another place: copy the picture itself here."))
            elif not path.is_file():
                contents.skipped.append(Problem(called, "is no file."))
            else:
                contents.take(called, path)
    beside = folder.resolve().parent / "sample_prompts.txt"  # kohya's samples lie one folder below it
    if not contents.prompts and beside.is_file():
        contents.prompts.append(Item(beside.name, beside))
    return contents.sorted()


def shown(name: str) -> str:
    """A name as it can be printed: what isn't UTF-8 is escaped."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def unpacked(archive: Path, into: Path) -> Contents:
    """Unpack the pictures and prompt files of a zip archive under names of our own, so that no name leads outside.

    Raises PicturesError for what is no zip archive, or has more entries or bytes than pictures have; one entry that
    can't be used is a problem of its own.
    """
    title = shown(archive.name)
    contents = Contents(title)
    try:
        with zipfile.ZipFile(archive) as packed:
            entries = packed.infolist()
            if len(entries) > MOST_ENTRIES:
                raise PicturesError(f"{title} has {len(entries)} entries: {MOST_ENTRIES} are the most.")
            total = sum(entry.file_size for entry in entries)
            if total > LARGEST_ARCHIVE_BYTES:
                most = LARGEST_ARCHIVE_BYTES // 1_000_000_000
                raise PicturesError(f"{title} unpacks to {total // 1_000_000_000} GB: {most} GB are the most.")
            seen: set[str] = set()
            for number, entry in enumerate(entries):
                name = entry.filename.replace("\\", "/")
                if entry.is_dir() or PurePosixPath(name).name.startswith(".") or "__MACOSX/" in name:
                    continue
                why = _why_not(entry, name, seen)
                if why:
                    contents.problems.append(Problem(_printable(name), why))
                    continue
                seen.add(name)
                wanted = PurePosixPath(name).suffix.lower() in SUFFIXES or is_prompts_file(name)
                file = into / f"{number:06d}{PurePosixPath(name).suffix.lower()}"
                if wanted and (why := _unpack(packed, entry, file)):
                    contents.problems.append(Problem(name, why))
                    continue
                contents.take(name, file)
                if len(contents.pictures) > MOST_FILES:
                    raise PicturesError(f"{title} holds more than {MOST_FILES} pictures. Give a smaller archive.")
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
        if isinstance(error, PicturesError):
            raise
        raise PicturesError(f"{title} is no zip archive, or is damaged ({error}). Pack the pictures again.") from None
    return contents.sorted()


def _printable(name: str) -> str:
    return shown("".join(c if c.isprintable() else "?" for c in name))[:200]


def _why_not(entry: zipfile.ZipInfo, name: str, seen: set[str]) -> str | None:
    """Why an entry of an archive isn't taken, by its name and its header alone."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or (len(name) > 1 and name[1] == ":"):
        return "has a name that leads out of the archive."
    if not name.isprintable() or shown(name) != name or len(name) > 400:
        return "has a name with signs that no picture's name has."
    if name in seen:
        return "is in the archive twice."
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "is a link to another place: pack the picture itself."
    if entry.flag_bits & 0x1:
        return "is locked with a password: pack it without one."
    if entry.file_size > LARGEST_BYTES:
        return f"unpacks to {entry.file_size // 1_000_000} MB: {LARGEST_BYTES // 1_000_000} MB are the most."
    if entry.file_size > HIGHEST_RATIO * max(1, entry.compress_size) and entry.file_size > PIECE:
        return f"unpacks to more than {HIGHEST_RATIO} times its size, which no picture does."
    return None


def _unpack(packed: zipfile.ZipFile, entry: zipfile.ZipInfo, file: Path) -> str | None:
    """Write an entry to a file, no further than its header says; why it can't be, or None."""
    written = 0
    try:
        with packed.open(entry) as source, file.open("wb") as target:
            while piece := source.read(PIECE):
                written += len(piece)
                if written > entry.file_size:
                    return "is longer than the archive says."
                target.write(piece)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        return f"is damaged in the archive ({error})."
    except Exception as error:  # zlib.error, lzma.LZMAError: packing methods have errors of their own
        if type(error).__module__ in ("zlib", "lzma", "_lzma", "bz2"):
            return f"is damaged in the archive ({error})."
        raise
    return None
