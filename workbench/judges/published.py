"""Which CLIP weights open_clip knows by model and tag, read from its source: importing it takes torch and seconds."""

import ast
import importlib.util
from functools import lru_cache
from pathlib import Path

CLIP_WEIGHTS = "open_clip_model.safetensors"
QUICKGELU = "-quickgelu"  # open_clip's name for a model as OpenAI trained it; its tags are the plain model's


@lru_cache(maxsize=1)
def published() -> dict[str, tuple[str, str]]:
    """MODEL/TAG -> repository on the hub and the name of the weights in it."""
    spec = importlib.util.find_spec("open_clip")
    folders = (spec.submodule_search_locations or []) if spec else []
    source = next((Path(folder) / "pretrained.py" for folder in folders), None)
    if source is None or not source.is_file():
        return {}
    assigned = {
        node.targets[0].id: node.value
        for node in ast.parse(source.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    models = assigned.get("_PRETRAINED")
    found = {}
    for model, tags in zip(models.keys, models.values, strict=True) if isinstance(models, ast.Dict) else ():
        if isinstance(model, ast.Constant):
            for tag, where in _tags(assigned.get(tags.id) if isinstance(tags, ast.Name) else tags).items():
                found[f"{model.value!s}/{tag}"] = where
    return found


def source_of(spec: str) -> tuple[str, str] | None:
    """Repository and file of a MODEL/TAG; None for one that open_clip doesn't know, or not from the hub."""
    model, _, tag = spec.partition("/")
    return published().get(f"{model.removesuffix(QUICKGELU)}/{tag}")


def _tags(value: ast.expr | None) -> dict[str, tuple[str, str]]:
    """The tags of one model: ``dict(tag=_pcfg(hf_hub="owner/repository/"), ...)``."""
    found = {}
    for tag in value.keywords if isinstance(value, ast.Call) else ():
        for option in tag.value.keywords if isinstance(tag.value, ast.Call) else ():
            if tag.arg and option.arg == "hf_hub" and isinstance(option.value, ast.Constant):
                repository, _, name = str(option.value.value).rpartition("/")
                if repository:
                    found[tag.arg] = repository, f"{Path(name).stem}.safetensors" if name else CLIP_WEIGHTS
    return found
