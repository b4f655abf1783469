"""LoRA files that other programs made."""
