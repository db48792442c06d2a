"""End "works on my laptop" for machine learning: capture, build, verify.

The stages live in their own packages and meet only through documents; see docs/architecture.md.
"""

__version__ = "0.1.0"
