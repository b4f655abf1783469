"""Patterns of settings: made, compared, read and written, looked over before they cost anything."""
