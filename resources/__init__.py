"""Data files: presets, lessons, icons."""
