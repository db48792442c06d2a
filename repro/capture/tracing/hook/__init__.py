"""What runs inside interpreters under capture: standard library only, 3.8 and later. Copied out, never imported."""
