"""Rule `gpu`: another GPU, driver or CUDA, or a setting that changes what it computes (TF32, cuDNN)."""

import re
from collections.abc import Iterator

from repro.verify.causes.situation import Difference, Situation
from repro.verify.causes.words import lines
from repro.verify.model import Cause

_USERS = {
    *("torch", "tensorflow", "jax", "jaxlib", "cupy", "cupy-cuda12x", "xgboost", "lightgbm", "catboost", "numba"),
    *("onnxruntime-gpu", "cuml", "cudf"),
}
SETTINGS = re.compile(
    r"\$(CUBLAS_\w+|CUDNN_\w+|NVIDIA_TF32_OVERRIDE|CUDA_VISIBLE_DEVICES|NVIDIA_VISIBLE_DEVICES|XLA_FLAGS"
    r"|TF_(DETERMINISTIC_OPS|CUDNN_DETERMINISTIC)|TORCH_ALLOW_TF32_CUBLAS_OVERRIDE|JAX_\w+)"
    r"|torch (tf32|cudnn|deterministic)"
)
"""Settings that change what a GPU computes, or which one does."""


def gpu(situation: Situation) -> Iterator[Cause]:
    """What is known of the GPUs on both sides."""
    settings = [one for name, one in situation.settings().items() if SETTINGS.fullmatch(name)]
    found = [*_devices(situation), *settings]
    if not found:
        return
    uses = bool(_USERS.intersection(situation.lock.modules))
    yield Cause(
        rule="gpu",
        message="the GPU, its driver, or how it computes is not the laptop's",
        laptop="; ".join(one.laptop or "none" for one in found),
        here="; ".join(one.here or "none" for one in found),
        where="GPU",
        confidence="certain" if not situation.ran else "likely" if uses or settings else "possible",
        fix="Evaluate on the CPU, or on the same GPU with deterministic algorithms and without TF32 "
        "(CUBLAS_WORKSPACE_CONFIG, NVIDIA_TF32_OVERRIDE=0); or allow the difference with a tolerance.",
        evidence=lines(found),
    )


def _devices(situation: Situation) -> list[Difference]:
    machine, record = situation.lock.evidence.machine, situation.here.record
    if machine is None or record is None or not record.machine:
        return []
    pairs = (
        ("GPU", "; ".join(machine.gpus) or None, record.machine.get("gpus")),
        ("driver", machine.driver, record.machine.get("driver")),
        ("CUDA", machine.cuda, record.machine.get("cuda")),
    )
    return [Difference(*pair) for pair in pairs if pair[1] != pair[2]]
