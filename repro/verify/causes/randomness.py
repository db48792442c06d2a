"""Rule `unseeded`: random numbers that no seed of the code fixes."""

from collections.abc import Iterator

from repro.runner.observed import GeneratorFact
from repro.verify.causes.situation import Situation
from repro.verify.causes.words import in_, where
from repro.verify.model import Cause

_SEEDS = {
    "random": "random.seed(0)",
    "random.Random": "random.Random(0)",
    "random.SystemRandom": "random.Random(0), whose numbers are not secret",
    "numpy.random": "numpy.random.seed(0), or numpy.random.default_rng(0)",
    "torch": "torch.manual_seed(0)",
}


def unseeded(situation: Situation) -> Iterator[Cause]:
    """Each generator and cell once; what was drawn before outputs began to differ comes first, and is likelier."""
    if situation.only_failed:
        return
    for fact, sides in _facts(situation).items():
        place = where(fact.place, situation.lock.subject.path)
        yield Cause(
            rule="unseeded",
            message=f"{fact.generator} draws without a fixed seed{in_(place)}: every run gets other numbers",
            laptop="seen" if "laptop" in sides else "",
            here="seen" if "here" in sides else "",
            where=place,
            confidence="likely"
            if situation.before_first_difference(fact.place) and not situation.only_rounding
            else "possible",
            fix=f"Seed it first: {_SEEDS.get(fact.generator, 'see its documentation')}; then capture again.",
        )


def _facts(situation: Situation) -> dict[GeneratorFact, set[str]]:
    found: dict[GeneratorFact, set[str]] = {}
    for name, side in (("here", situation.here), ("laptop", situation.laptop)):
        for fact in () if side.observed is None else side.observed.unseeded():
            found.setdefault(fact, set()).add(name)
    return found
