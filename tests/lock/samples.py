"""Locks that tests start from."""

from dataclasses import replace

from repro.digest import Digest
from repro.lock import (
    Base,
    Baseline,
    Column,
    ComparedOutput,
    CondaPackage,
    CondaPatch,
    Environment,
    Evidence,
    Gates,
    ImageOptions,
    Lock,
    LockedFile,
    Machine,
    Metric,
    NativeLibrary,
    Package,
    PackageFile,
    PackedPython,
    Policy,
    PredictedImage,
    PredictedLayer,
    Profile,
    Python,
    Revision,
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
        subject=Subject(
            "notebook", "notebooks/evaluate.ipynb", "python3", root="/home/ada/churn", directories=("scratch",)
        ),
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
        policy=Policy(3600.0, 60.0, 4 << 30, False, ("metrics.json",), metrics_exclude=("*_time",)),
        metrics=(
            Metric("auc", 0.1 + 0.2, "metrics.json", "higher", Tolerance(1e-9, 1e-6), accept_improvement=True),
            Metric("broken", float("nan"), "cell:3"),
            Metric("floor", float("-inf"), "cell:3"),
            Metric("hits", 3, "cell:3", tolerance=Tolerance(band=True), runs=(4.5, -0.0, 3)),
            Metric("label", "größer", "cell:3"),
            Metric("loss", 0.25, "cell:3", tolerance=Tolerance(ulp=4), gates=Gates(-1.5, 2.0), runs=(1, "none", True)),
            Metric("n", 10**18, "cell:3"),
            Metric("ok", value=True, source="cell:3"),
            Metric("printed", 0.5, "printed:3", tolerance=Tolerance(digits=2)),
            Metric("share", 0.75, "x.json", tolerance=Tolerance(samples=4, flips=1), gates=Gates(0.5), runs=(0.75,)),
            Metric("zero", -0.0, "display:4"),
        ),
        files=(
            LockedFile("notebooks/evaluate.ipynb", "notebook", digest("nb"), 10),
            LockedFile("data/test set ü.csv", "data", digest("data"), 20, source="s3://bucket/test.csv?versionId=3"),
            LockedFile("models/m.ubj", "model", digest("model"), 30, mount=True),
            LockedFile("src/features.py", "code", digest("code"), 40, executable=True),
        ),
        outputs=("metrics.json", "figures/roc.png", "predictions.csv", "notes.txt"),
        packages=(
            package("numpy", "2.4.1", 17_000_000, "cp311-cp311-manylinux_2_28_x86_64"),
            replace(package("six"), patched=("six.py",)),
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
            "conda:numpy": ("numpy", "numpy.core"),
        },
        conda=_conda_packages(),
        evidence=evidence(),
        compared=(
            ComparedOutput("predictions.csv", "table", digest("p"), 50, 1e-9, 1e-6, ("id", "größe")),
            ComparedOutput("figures/roc.png", "figure", digest("roc"), 60, absolute=2.0, gate=False),
            ComparedOutput("notes.txt", "text", digest("notes"), 70, sanitize=True),
        ),
        predicted=(predicted_image(),),
    )


def evidence() -> Evidence:
    openblas = NativeLibrary("openblas", "libscipy_openblas64_-1a2b3c4d.so", "0.3.29", "Haswell", 4)
    gomp = NativeLibrary("libgomp", "libgomp.so.1", None, None, 4)
    return Evidence(
        machine=Machine(
            system="Debian GNU/Linux 12 (bookworm)",
            kernel="6.1.0",
            architecture="x86_64",
            libc="glibc 2.36",
            processor="AMD EPYC 7B13",
            features=("sse4_2", "avx2", "fma"),
            cpus=4,
            gpus=("NVIDIA L4",),
            driver="550.54.15",
            cuda="12.4",
            libraries=(openblas, gomp),
        ),
        revision=Revision(
            "0123456789abcdef0123456789abcdef01234567",
            "main",
            "https://git.example.org/churn.git",
            ("src/features.py",),
            {"libs/shared": "89abcdef0123456789abcdef0123456789abcdef"},
        ),
        profiles=(
            Profile(
                "data/test set ü.csv",
                1000,
                (
                    Column("age", "number", 3, None, (18.0, 30.5, 41.0, 55.25, 99.0)),
                    Column("", "integer", 0, 2, (0.0, 0.0, 1.0, 1.0, 1.0)),
                    Column("name", "text", 1000, 0),
                ),
            ),
        ),
    )


def conda_package(name: str, version: str = "1.0", build: str = "py311h1_0", **more: object) -> CondaPackage:
    file = f"{name}-{version}-{build}.conda"
    plain = CondaPackage(
        name=name,
        version=version,
        build=build,
        target="linux/amd64",
        channel="conda-forge",
        subdir="linux-64",
        file=file,
        url=f"https://conda.example.org/conda-forge/linux-64/{file}",
        sha256=digest(file),
        size=1000,
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def _conda_packages() -> tuple[CondaPackage, ...]:
    return (
        conda_package(
            "numpy",
            "1.26.4",
            "py311h64a7726_0",
            md5="0" * 32,
            depends=("libblas >=3.9.0,<4.0a0", "python >=3.11,<3.12.0a0"),
            requested=True,
            captured="1.26.4 py311h7125741_0",
            without=("lib/python3.11/site-packages/numpy/tests/", "bin/f2py"),
            patched=(CondaPatch("lib/python3.11/site-packages/numpy/version.py", digest("patched"), 300, True),),
        ),
        conda_package("_libgcc_mutex", "0.1", "conda_forge", captured="", scripts="skip"),
        conda_package("tzdata", "2024a", "h0c530f3_0", subdir="noarch", channel="file", url=None, scripts="run"),
    )


def lock_1_3() -> Lock:
    """The same without what format 1.4 added."""
    return replace(full_lock(), conda=(), modules={n: m for n, m in full_lock().modules.items() if ":" not in n})


def lock_1_2() -> Lock:
    """The same without what format 1.3 added."""
    lock = lock_1_3()
    policy = replace(lock.policy, metrics_exclude=())
    metrics = tuple(metric for metric in lock.metrics if metric.name not in _SINCE_1_3)
    outputs = ("metrics.json", "figures/roc.png")
    subject = replace(lock.subject, directories=())
    return replace(lock, subject=subject, policy=policy, metrics=metrics, outputs=outputs, compared=())


_SINCE_1_3 = {"hits", "loss", "printed", "share"}


def lock_1_1() -> Lock:
    """The same without what format 1.2 added."""
    lock = lock_1_2()
    files = tuple(replace(file, mount=False, source=None) for file in lock.files)
    packages = tuple(replace(package, patched=()) for package in lock.packages)
    subject = replace(lock.subject, root=None)
    return replace(lock, subject=subject, files=files, packages=packages, evidence=Evidence())


def plain_lock() -> Lock:
    """The same without what later formats added: as format 1.0 has it."""
    lock = lock_1_1()
    packages = tuple(replace(package, requested=False) for package in lock.packages)
    return replace(lock, packages=packages, image=ImageOptions(), system=(), modules={}, predicted=())
