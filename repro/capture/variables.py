"""Environment variables that a run depends on and the image won't have: told from the sources and by their names."""

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from repro.capture.static_inputs import without_magics
from repro.lock import LockedFile

_ENV_MAGIC = re.compile(r"^\s*(?:\w+\s*=\s*)?%env\s+(\w+)\s*$", re.MULTILINE)
_EXPANDED = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
_READERS = {"get", "pop", "setdefault", "__getitem__"}
_EVERYWHERE = {
    *("HOME", "PATH", "USER", "LOGNAME", "SHELL", "PWD", "OLDPWD", "TERM", "HOSTNAME", "SHLVL"),
    *("TMPDIR", "TMP", "TEMP", "LANG", "LANGUAGE", "TZ", "JPY_PARENT_PID", "VIRTUAL_ENV"),
}
_MOVING = (
    *("MKL_", "OPENBLAS_", "BLIS_", "NPY_", "KMP_", "GOMP_", "OMP_", "CUDA_", "CUBLAS_", "TF_", "XLA_", "TORCH_"),
    *("ONEDNN_", "DNNL_", "ATEN_", "NUMBA_"),
)
_TERRAFORM = (
    *("TF_CLI_", "TF_DATA_DIR", "TF_IN_AUTOMATION", "TF_INPUT", "TF_LOG", "TF_PLUGIN_", "TF_REGISTRY_", "TF_TOKEN_"),
    *("TF_VAR_", "TF_WORKSPACE"),
)
"""Not TensorFlow's (https://developer.hashicorp.com/terraform/cli/config/environment-variables)."""
SECRET = re.compile(r"(?i).*(token|secret|passw|passphrase|api_?key|access_?key|private_?key|credential).*")
"""Names of variables whose values nobody else should see."""
_SETTING = re.compile(r"^[ \t]*(?:export[ \t]+)?(\w+)[ \t]*=[ \t]*['\"]?[^\s'\"#]", re.MULTILINE)
_MOST = 1 << 20
_MOVING_NAMES = {"PYTHONPATH", "PYTHONOPTIMIZE", "LD_LIBRARY_PATH", "LD_PRELOAD"}


def variables_read(sources: Iterable[str]) -> set[str]:
    """Names of the variables that Python sources read by a constant name.

    Args:
        sources: Text of scripts, modules or cells, magics included. Cells share their imports. What doesn't parse
            counts as empty.
    """
    found: set[str] = set()
    trees: list[ast.Module] = []
    for source in sources:
        tree = _parse(source)
        if tree is None:
            found.update(_ENV_MAGIC.findall(source))
            tree = _parse(without_magics(source))
        if tree is not None:
            trees.append(tree)
    names = _Names()
    for node in (node for tree in trees for node in ast.walk(tree)):
        names.learn(node)
    return found.union(name for tree in trees for node in ast.walk(tree) for name in names.read_by(node))


def variable_warnings(
    sources: Iterable[str], environ: Mapping[str, str], kernel_env: Mapping[str, str], pinned: Collection[str]
) -> tuple[str, ...]:
    """What the author should know of variables that the image won't have. Values are never told.

    Args:
        sources: As for `variables_read`: the subject and the project's own modules.
        environ: The variables of the laptop's process.
        kernel_env: Variables that the kernelspec sets.
        pinned: Names that the lock sets in the image, of whatever origin.
    """
    known = {*pinned, *_EVERYWHERE}
    kernel = sorted(set(kernel_env) - known)
    read = sorted(name for name in variables_read(sources) - known - set(kernel_env) if name in environ)
    moving = sorted(
        name
        for name, value in environ.items()
        if value and (_moves(name) or name in _MOVING_NAMES)
        if name not in known and name not in kernel_env and name not in read
    )
    on_read = f"the sources read {_are(read)} set on this laptop and won't be in the image; {_cure(read)}"
    on_kernel = f"the kernelspec sets {_are(kernel)} not carried into the image; set them yourself and {_cure(kernel)}"
    on_moving = f"this laptop sets {_are(moving)} not carried into the image and can move numbers or imports; "
    on_moving += f"unset them, or {_cure(moving)}"
    warnings = ((read, on_read), (kernel, on_kernel), (moving, on_moving))
    return tuple(text for names, text in warnings if names)


def secret_warnings(root: Path, files: Iterable[LockedFile]) -> tuple[str, ...]:
    """What the author should know of `.env` files that the image will have.

    Args:
        root: Project root.
        files: What is locked.
    """
    found = []
    for file in files:
        if not (file.path.rpartition("/")[2].startswith(".env") or file.path.endswith(".env")) or file.size > _MOST:
            continue
        text = (root / file.path).read_text("utf-8", errors="replace")
        names = [name for name in dict.fromkeys(_SETTING.findall(text)) if SECRET.fullmatch(name)]
        if names:
            found.append(
                f"{file.path} goes into the image with {', '.join(names)}, which whoever has the image can read; take "
                f'secrets out of it, or keep it out, if the run can do without it, by [files] exclude = ["{file.path}"]'
            )
    return tuple(found)


def _moves(name: str) -> bool:
    return name.startswith(_MOVING) and not name.startswith(_TERRAFORM)


def _are(names: Collection[str]) -> str:
    return f"{', '.join(names)}, which {'is' if len(names) == 1 else 'are'}"


def _cure(names: Iterable[str]) -> str:
    listed = ", ".join(f'"{name}"' for name in names)
    return f"allow them in repro.toml, [run] env = [{listed}], unless they are secret: their values enter the lock"


def _parse(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return None


@dataclass
class _Names:
    """What the sources call the parts of `os`, and the constants that they give names to."""

    modules: set[str] = field(default_factory=lambda: {"os"})
    environs: set[str] = field(default_factory=set)
    getenvs: set[str] = field(default_factory=set)
    constants: dict[str, str] = field(default_factory=dict)

    def learn(self, node: ast.AST) -> None:
        """Take in an import or an assignment."""
        match node:
            case ast.Import(names=names):
                self.modules |= {one.asname for one in names if one.name == "os" and one.asname}
            case ast.ImportFrom(module="os", names=names):
                self.environs |= {one.asname or one.name for one in names if one.name == "environ"}
                self.getenvs |= {one.asname or one.name for one in names if one.name == "getenv"}
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                self.constants[name] = text
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if self._is_environ(value):
                self.environs.add(name)

    def read_by(self, node: ast.AST) -> Iterator[str]:
        """The variables that one expression reads, parts of it left out."""
        match node:
            case ast.Subscript(value=value, slice=key, ctx=ast.Load()) if self._is_environ(value):
                yield from self._text(key)
            case ast.Compare(left=key, ops=[ast.In() | ast.NotIn()], comparators=[value]) if self._is_environ(value):
                yield from self._text(key)
            case ast.Call(func=function):
                yield from self._called(
                    function, [*node.args, *(one.value for one in node.keywords if one.arg == "key")]
                )

    def _called(self, function: ast.expr, given: list[ast.expr]) -> Iterator[str]:
        match function:
            case ast.Attribute(value=value, attr=name) if name in _READERS and self._is_environ(value):
                yield from self._text(*given[:1])
            case ast.Attribute(value=ast.Name(id=module), attr="getenv") if module in self.modules:
                yield from self._text(*given[:1])
            case ast.Name(id=name) if name in self.getenvs:
                yield from self._text(*given[:1])
            case ast.Attribute(attr="expandvars"):
                for text in self._text(*given[:1]):
                    yield from ("".join(pair) for pair in _EXPANDED.findall(text))

    def _is_environ(self, node: ast.expr) -> bool:
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr="environ"):
                return module in self.modules
            case ast.Name(id=name):
                return name in self.environs
        return False

    def _text(self, *nodes: ast.expr) -> Iterator[str]:
        for node in nodes:
            match node:
                case ast.Constant(value=str(text)):
                    yield text
                case ast.Name(id=name) if name in self.constants:
                    yield self.constants[name]
