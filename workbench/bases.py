"""Base models: is there one where a project says so? (Looks at files only; the trainer reads them.)"""

from pathlib import Path


def base_problem(location: str) -> str | None:
    """What is wrong with a base model and what to do; None for 'embedded' and a folder in diffusers layout."""
    folder = Path(location).expanduser()
    if location == "embedded" or (folder / "model_index.json").is_file():
        return None
    if folder.is_file():
        return (
            f"{folder.name} is a single file. Base models are read as folders in diffusers layout so far: convert it "
            "(diffusers: StableDiffusionPipeline.from_single_file(...).save_pretrained(FOLDER)) and name that folder."
        )
    return (
        f"There is no base model in {location}: a folder with model_index.json, unet, vae, text_encoder and "
        "tokenizer is needed (diffusers layout). Correct the path, or use 'embedded'."
    )
