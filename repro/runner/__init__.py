"""Executes one evaluation and reports what came of it: on the laptop during capture, in the image ever after.

This package is copied into every image and runs there under the image's own Python, 3.9 and later, beside
`nbclient` and what it needs. It therefore imports nothing else of `repro`, and its documents are plain JSON.
"""
