"""What the product does: photos, patterns, queue, worker, scores, ratings, analysis; ``python -m workbench``."""
