"""Image + Lock → Verdict: check what is baked in, rerun it sealed, compare every metric. Nothing here prints.

`repro.verify.stage.verify` is the way in.
"""
