"""Assembles images without an engine: a plan and its artifacts become layers and documents, byte for byte the same.

`repro_oci.builder.OciBuilder` is the way in; nothing is imported here, so that worker processes start quickly.
"""
