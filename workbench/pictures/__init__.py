"""Pictures on pages and sheets: what stands where."""
