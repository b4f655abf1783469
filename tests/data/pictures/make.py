"""Make the golden files: python tests/data/pictures/make.py. One small picture for each way of writing and naming."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from drawn_elsewhere import a1111_text, grid, grid_text, picture, save, save_comfyui  # noqa: E402

FORGE = "Steps: 25, Sampler: Euler, CFG scale: 5.5, Seed: 3000000000, Size: 64x64, Model hash: 6ce0161689, Clip skip: 2"


def make(folder: Path = HERE) -> None:
    save(picture(1), folder / "kohya" / "anna_e000010_00_20240101120000_42.png")
    save(picture(2), folder / "kohya_steps" / "anna_000500_01_20240101120000.png")
    save(picture(3), folder / "kohya_old" / "anna_20230401120000_e000002_00_7.png")
    save(picture(4), folder / "ai_toolkit" / "1704110400000__000000250_1.jpg")
    save(picture(5), folder / "onetrainer" / "1 - zwx woman" / "2024-01-01_12-00-00-training-sample-300-5-10.png")
    save(picture(6), folder / "a1111" / "00001-42.png", parameters=a1111_text())
    save(picture(7), folder / "a1111" / "00002-42.jpg", parameters=a1111_text())
    save(picture(8), folder / "a1111" / "00003-42.webp", parameters=a1111_text())
    prompt = "zwx woman <lora:detail:0.5>\nat the beach <lora:anna-step00000500:0.6:0.9>"
    lora_hashes = ', Lora hashes: "detail: 0123, anna: 4567", Version: f2.0.1v1.10.1'
    save(picture(9), folder / "forge" / "00001-3000000000.png", parameters=a1111_text(prompt, FORGE + lora_hashes))
    save_comfyui(folder / "comfyui" / "ComfyUI_00001_.png", 10)
    x, y = ("Prompt S/R", "anna-000010,anna-000020,anna-000030"), ("Prompt S/R", ":0.8>, :1>")
    text = grid_text(x, y, "photo of zwx woman <lora:anna-000010:0.8>")
    save(grid(3, 2), folder / "grid" / "xyz_grid-0001-42.png", parameters=text)


if __name__ == "__main__":
    make()
