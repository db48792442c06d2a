"""The assembler as a builder that others find by its name."""

from pathlib import Path
from tempfile import TemporaryDirectory

from repro.cpus import usable_cpus
from repro.digest import Digest
from repro.errors import IntegrityError
from repro.lock import PredictedImage
from repro.oci.encodings import reproducible
from repro.oci.image import Image
from repro.plan import BuildPlan, Supplies
from repro.progress import Progress
from repro.store.cache import cache_directory
from repro_oci.assemble import assemble_image
from repro_oci.cache import LayerCache
from repro_oci.image import AssembledImage
from repro_oci.predicted import differences, foretell, predict, prove
from repro_oci.site import Site


class OciBuilder:
    """Assembles OCI images without an engine, without root, without starting a container.

    Args:
        cache: The user's cache; layers, interpreters and facts about bases are kept below it.
        workers: Most processes at once; one for each CPU when None.
    """

    name = "oci"

    def __init__(self, cache: Path | None = None, workers: int | None = None) -> None:
        self._cache = cache or cache_directory()
        self._workers = workers or usable_cpus()

    def assemble(
        self,
        plan: BuildPlan,
        base: Image,
        supplies: Supplies,
        *,
        progress: Progress,
        predicted: PredictedImage | None = None,
        trust: bool = False,
        no_cache: bool = False,
    ) -> Image:
        """The image (see `repro.plan.Assembler.assemble`)."""

        def make() -> AssembledImage:
            site = self._site(progress, fresh=no_cache)
            image = assemble_image(plan, base, supplies, site, None if no_cache else predicted)
            if predicted is not None:
                if differences(image, predicted):
                    image = assemble_image(plan, base, supplies, site)  # believing nothing, to tell what differs
                prove(image, predicted)
            return image

        foretold = foretell(plan, base, predicted, make) if predicted is not None and trust and not no_cache else None
        return foretold or make()

    def predict(self, plan: BuildPlan, base: Image, supplies: Supplies, *, progress: Progress) -> PredictedImage:
        """Make the image and state what it is. Raises as `assemble` does."""
        image = assemble_image(plan, base, supplies, self._site(progress))
        return predict(image, blobs=reproducible(plan.encoding))

    def check_reproducible(self, plan: BuildPlan, base: Image, supplies: Supplies, *, progress: Progress) -> Digest:
        """Make the image twice, each time from nothing, once in several processes and once in one.

        Returns:
            Digest of the manifest, the same both times.

        Raises:
            IntegrityError: They differ; `problems` names each layer that does.
        """
        first = assemble_image(plan, base, supplies, self._site(progress, fresh=True))
        with TemporaryDirectory(prefix="repro-again-") as folder:
            site = Site(LayerCache(Path(folder), fresh=True), self._cache, 1, progress)
            second = predict(assemble_image(plan, base, supplies, site), blobs=True)
        problems = differences(first, second)
        if problems:
            raise IntegrityError(
                "the image came out differently the second time",
                problems=[problem.replace("predicted", "second").replace("made", "first") for problem in problems],
                fix="This is a defect of repro: please report it with the layers that differ.",
            )
        return first.digest

    def _site(self, progress: Progress, *, fresh: bool = False) -> Site:
        return Site(LayerCache(self._cache / "layers", fresh=fresh), self._cache, self._workers, progress)
