"""What a preview is worth: measured by judges and from its pixels, or the reason why there is no value."""
