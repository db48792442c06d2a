"""Moves images between registries, engines and disks: pull a base, load or push a result."""
