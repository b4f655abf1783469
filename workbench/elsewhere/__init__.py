"""Pictures and LoRA files that were made by other programs: read, checked, and brought into a project."""
