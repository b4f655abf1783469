"""Recipes: one pattern used for several people, compared with the default over people as replicates."""
