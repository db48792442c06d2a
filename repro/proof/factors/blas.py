"""Factor `blas`: which BLAS conda's packages bring. An image has one of them, so it is told and never swapped."""

from repro.proof.factors.model import Found, LeftOut, Scene
from repro.verify.causes.conda import blas_pairs

FACTOR, TITLE = "blas", "the BLAS library"


def blas_library(scene: Scene) -> Found:
    """By the builds of both sides; nothing where they stand for the same."""
    for laptop, here in dict.fromkeys(one.variants for one in blas_pairs(scene.situation)):
        why = "that is other packages, so another image; where both can be had, `repro bisect` tries both"
        yield LeftOut(FACTOR, TITLE, f"{laptop} on the laptop, {here} here: {why}")
