"""Conda's packages: what environments record of them, what archives hold, and linking them without conda."""

FORMAT = 1
"""Version of what linking makes of a package; raised whenever the same package would give other files."""
