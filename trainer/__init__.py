"""Photos + patterns -> LoRA files and previews; knows no database and no page (no torch in this module)."""

import sys
from pathlib import Path

EMBEDDED = Path(__file__).resolve().parent / "embedded"  # the miniature base, its judges and the demo subject
PAINTED = EMBEDDED / "painted" / "pytorch_lora_weights.safetensors"  # the LoRA of paintings
EMBEDDED_BASES = ("embedded", "embedded-painted")  # the second is the first with a LoRA of paintings merged in

# diffusers and peft load bitsandbytes wherever it is installed: seconds, and on some machines an error, for what only
# an 8-bit optimiser needs. Hidden from them here, found again by trainer/optim.py.
sys.modules.setdefault("bitsandbytes", None)  # type: ignore[arg-type]
