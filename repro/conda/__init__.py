"""Conda's packages: what environments record of them, what archives hold, and linking them without conda."""
