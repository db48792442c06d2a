"""Assembles images without an engine: a plan and its artifacts become layers and documents, byte for byte the same."""
