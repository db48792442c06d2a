"""The conda part of a captured environment: what is installed, where it came from, and what other platforms have."""
