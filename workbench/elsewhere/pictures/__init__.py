"""Pictures that other programs made."""
