"""What the product does: photos, patterns, queue, worker, scoring, rating, analysis. The CLI is ``python -m workbench``."""
