"""A program of its own that profiles tables, run by any Python from 3.8 on; it imports nothing else of `repro`.

Standard library for delimited text, pyarrow for Arrow's formats. Memory is bounded whatever the size of a table.
"""
