"""Locks that tests start from."""

from dataclasses import replace

from repro.digest import Digest
from repro.lock import (
    Base,
    Baseline,
    Environment,
    ImageOptions,
    Lock,
    LockedFile,
    Metric,
    Package,
    PackageFile,
    PackedPython,
    Policy,
    PredictedImage,
    PredictedLayer,
    Python,
    Runner,
    Subject,
    SystemPackage,
    Tolerance,
)


def digest(text: str) -> Digest:
    return Digest.of(text.encode())


def package(name: str, version: str = "1.0", size: int = 1000, tag: str = "py3-none-any") -> Package:
    stem = name.replace("-", "_")
    file = PackageFile(
        name=f"{stem}-{version}-{tag}.whl",
        sha256=digest(name + version),
        size=size,
        url=f"https://files.example.org/{stem}-{version}-{tag}.whl",
        targets=("linux/amd64",),
    )
    return Package(name, version, "index", "https://pypi.org/simple", (file,))


def system_package(name: str, reason: str = "asked", *, skip_scripts: bool = False) -> SystemPackage:
    return SystemPackage(
        name=name,
        version="1:12.2.0-14+deb12u1",
        architecture="amd64",
        target="linux/amd64",
        url=f"https://deb.example.org/pool/main/{name}_12.2.0-14+deb12u1_amd64.deb",
        sha256=digest(name),
        size=110_000,
        reason=reason,
        skip_scripts=skip_scripts,
    )


def predicted_image(target: str = "linux/amd64") -> PredictedImage:
    layers = tuple(
        PredictedLayer(name, digest(target + name), digest(target + name + "blob"), 1000 + number)
        for number, name in enumerate(("wheel-numpy", "runner", "code", "metadata"))
    )
    return PredictedImage(target, 1, digest(target + "config"), digest(target + "manifest"), layers)


def full_lock() -> Lock:
    """A lock in which every field of the format is used."""
    local = PackageFile("mine-0.1-py3-none-any.whl", digest("mine"), 300, None, ("linux/amd64",))
    return Lock(
        subject=Subject("notebook", "notebooks/evaluate.ipynb", "python3"),
        baseline=Baseline(rerun=True),
        targets=("linux/amd64",),
        python=Python(
            "cpython",
            "3.11.7",
            "packed",
            PackedPython("cpython-3.11.7-linux-amd64.tar", digest("python"), 70_000_000, "2.34", "linux/amd64"),
        ),
        base=Base(
            reference="docker.io/library/python:3.11.2-slim-bookworm",
            digest=digest("base"),
            source="registry",
            python="3.11.2",
            python_path="/usr/local/bin/python3.11",
            glibc="2.36",
        ),
        environment=Environment("Europe/Berlin", "C.UTF-8", 4, {"PYTHONHASHSEED": "0", "MODE": 'say "hi"\n\x7f'}),
        policy=Policy(3600.0, 60.0, 4 << 30, allow_patch_drift=False, metrics_files=("metrics.json",)),
        metrics=(
            Metric("auc", 0.1 + 0.2, "metrics.json", "higher", Tolerance(1e-9, 1e-6), accept_improvement=True),
            Metric("broken", float("nan"), "cell:3"),
            Metric("floor", float("-inf"), "cell:3"),
            Metric("label", "größer", "cell:3"),
            Metric("n", 10**18, "cell:3"),
            Metric("ok", value=True, source="cell:3"),
            Metric("zero", -0.0, "display:4"),
        ),
        files=(
            LockedFile("notebooks/evaluate.ipynb", "notebook", digest("nb"), 10),
            LockedFile("data/test set ü.csv", "data", digest("data"), 20),
            LockedFile("models/m.ubj", "model", digest("model"), 30),
            LockedFile("src/features.py", "code", digest("code"), 40, executable=True),
        ),
        outputs=("metrics.json", "figures/roc.png"),
        packages=(
            package("numpy", "2.4.1", 17_000_000, "cp311-cp311-manylinux_2_28_x86_64"),
            package("six"),
            Package("mine", "0.1", "editable", "libs/mine", (local,), requested=True),
        ),
        runner=Runner("0.1.0", digest("runner"), (package("nbclient", "0.10.2"), package("installer"))),
        image=ImageOptions("tar", "all"),
        system=(
            system_package("libstdc++6", "depends:libgomp1"),
            system_package("libgomp1", "needs:libgomp.so.1", skip_scripts=True),
        ),
        modules={
            "six": ("six",),
            "python": ("typing", "json", "json.decoder", "encodings.utf_8"),
            "numpy": tuple(f"numpy.part{number:02}" for number in range(24)),
        },
        predicted=(predicted_image(),),
    )


def plain_lock() -> Lock:
    """The same without what later formats added: as format 1.0 has it."""
    lock = full_lock()
    packages = tuple(replace(package, requested=False) for package in lock.packages)
    return replace(lock, packages=packages, image=ImageOptions(), system=(), modules={}, predicted=())
