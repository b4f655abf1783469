"""From previews to tables, contrasts and verdicts."""
