"""Proof by experiment: which factor moves a metric (`repro explain --prove`), which package (`repro bisect`)."""
