"""Photos + patterns -> LoRA files and previews; knows no database and no page (no torch in this module)."""

from pathlib import Path

EMBEDDED = Path(__file__).resolve().parent / "embedded"  # the miniature base, its judges and the demo subject
