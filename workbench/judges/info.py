"""What is known about a judge before it is loaded, and why one can't be used."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

# Code -> sentence. The parameters in braces are in JudgeUnavailable.params.
SENTENCES = {
    "package_missing": (
        "The package '{package}' isn't installed, so this judge can't run. Install it: pip install {package}"
    ),
    "face_pack_absent": (
        "The face pack '{pack}' isn't on this computer (looked in {folder}). Get it with "
        "'python -m workbench doctor --download {pack}', or choose the judge 'embedded', a folder with a "
        "pack, or 'none'."
    ),
    "face_folder_missing": ("There is no folder {folder} with a face pack. Correct the path or choose another judge."),
    "face_pack_incomplete": (
        "The folder {folder} is no complete face pack: it needs the .onnx files of a face detector with "
        "landmarks and of a face recogniser. Download the pack again or choose another judge."
    ),
    "dlib_missing": (
        "dlib or its weights (face_recognition_models) aren't installed. Install both, in this program's folder: "
        "{python} -m pip install -r requirements-dlib.txt (100 MB). Or choose another judge."
    ),
    "clip_weights_absent": (
        "The CLIP weights of '{model}' aren't on this computer. Get them with "
        "'python -m workbench doctor --download {model}', or choose the judge 'embedded' or 'none'."
    ),
    "clip_unknown": (
        "'{spec}' names no CLIP judge. Write 'embedded', 'none', MODEL/TAG as open_clip lists them (such as {known}), "
        "'MODEL/path/to/file.safetensors', or a folder that holds open_clip_model.safetensors and its model "
        "config (.json)."
    ),
    "clip_file_missing": ("There is no file {file} with CLIP weights. Correct the path or choose another judge."),
    "clip_is_pickle": (
        "{file} can hold program code (pickle), so it isn't loaded. Save its tensors as .safetensors and "
        "name that file."
    ),
    "clip_needs_hub": (
        "The CLIP model '{model}' fetches its words from a model hub when it is loaded, which doesn't work "
        "offline. Choose a model with open_clip's own tokenizer, such as ViT-B-32 or ViT-L-14."
    ),
    "clip_does_not_fit": (
        "The weights in {file} don't fit the CLIP model '{model}' ({why}). Name the model they belong to."
    ),
    "download_unknown": "'{spec}' can't be downloaded here. Known are: {known}.",
    "download_failed": ("'{spec}' could not be downloaded from {source} ({why}). Check the connection and try again."),
}


@dataclass(frozen=True)
class JudgeInfo:
    """One judge: what it is called, whose weights it has, and which pictures it is valid for."""

    key: str  # name, version and hash of the files: other weights are another judge
    kind: str  # face or clip
    name: str
    version: str  # of the package that runs it
    licence: str  # of the weights
    world: str  # what pictures it was made for
    location: str  # folder or file on this computer

    def to_dict(self) -> dict[str, str]:
        """For a message to another process."""
        return asdict(self)

    @staticmethod
    def from_dict(values: Mapping[str, str]) -> "JudgeInfo":
        """A judge from :meth:`to_dict`."""
        return JudgeInfo(**values)


class JudgeUnavailable(RuntimeError):
    """A judge that can't be used here: ``code`` and ``params`` say why, the text says what to do."""

    def __init__(self, code: str, **params: str) -> None:
        super().__init__(SENTENCES[code].format(**params))
        self.code, self.params = code, params
