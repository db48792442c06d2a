"""The check: everything that can be told of a lock in seconds, without running its subject."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

from repro_oci.keys import FORMAT

from repro.capture.conda.installed import counted_packages
from repro.differ.check.changed import file_findings, package_findings, setting_findings, subject_findings
from repro.differ.check.declared import check_declared
from repro.differ.check.foretold import foretold_findings
from repro.differ.check.inputs import check_inputs
from repro.differ.check.model import Finding, Item, Report
from repro.differ.compare import difference
from repro.differ.contents import locked_contents
from repro.differ.model import Change, Group, Side
from repro.differ.named import load_named
from repro.differ.state import locked_state
from repro.differ.tree import Tree, TreeOptions, read_tree
from repro.digest import Digest
from repro.lock import Lock
from repro.lock.model import SCHEMA_VERSION
from repro.plan import runner_digest, runner_sources
from repro.progress import Progress
from repro.store import project_store

_VERSION = re.compile(rb'^version = "(\d+\.\d+)"$', re.MULTILINE)


def check(path: Path, options: TreeOptions, progress: Progress) -> Report:
    """Compare a lock with the project that it lies in.

    Args:
        path: The lock.
        options: How to look at the project; this machine's own variables don't count.
        progress: Told of long work.

    Raises:
        UsageError: There is no lock, or the settings can't be used.
        IntegrityError: The lock can't be read.
    """
    started = time.monotonic()
    lock, body = load_named(path, progress)
    root, digest = path.resolve().parent, str(Digest.of(body))
    contents = locked_contents(root, lock)
    tree = read_tree(root, lock, Side("working tree", "tree", digest), options, progress)
    before = locked_state(Side(str(path), "lock", digest), lock, contents)
    found = {section.group: section.changes for section in difference(before, tree.state).sections}
    environment = _environment(tree, found)
    agrees = environment.status == "true"
    items = (
        Item("lock", f"format {_version(body)}, {digest[:19]}", tuple(_lock(lock, body))),
        Item("subject", _subject(lock), tuple(subject_findings(tree, found.get("code", ())))),
        Item("files", _files(tree), tuple(file_findings(tree, found))),
        check_inputs(tree, contents),
        Item("settings", "repro.toml, as far as it decides a lock", tuple(setting_findings(tree, found))),
        check_declared(tree, agrees=agrees),
        environment,
    )
    return Report(path, digest, lock.subject.path, lock.subject.args, items, time.monotonic() - started)


def _lock(lock: Lock, body: bytes) -> Iterator[Finding]:
    """What is to be known of the lock itself; that it can be read was seen before."""
    if _version(body) != SCHEMA_VERSION:
        what = f"the lock has format {_version(body)}, and captures write {SCHEMA_VERSION} by now"
        yield Finding("note", "", "format", what)
    if runner_digest(runner_sources()) != lock.runner.sha256:
        what = f"the lock pins the runner of repro {lock.runner.version}; this repro has another and can't build it"
        yield Finding("warning", "", "runner", what, f"use repro {lock.runner.version}, or capture again")
    predicted = {image.target for image in lock.predicted}
    for target in lock.targets:
        if target not in predicted:
            yield Finding(
                "note", "", target, f"the lock predicts no image for {target}, so that builds have nothing to prove"
            )
    if any(image.format != FORMAT for image in lock.predicted):
        what = (
            "the predicted images are of another version of the builder, and can't be compared with what this one makes"
        )
        yield Finding("warning", "", "predicted", what, "capture again")
    yield from foretold_findings(lock, body)


def _version(body: bytes) -> str:
    found = _VERSION.search(body)
    return "unknown" if found is None else found[1].decode()


def _subject(lock: Lock) -> str:
    subject = lock.subject
    return f"{subject.path} ({subject.kind}{f', kernel {subject.kernel}' if subject.kernel else ''})"


def _files(tree: Tree) -> str:
    locked, gone = tree.own.files, {file.path for file in tree.missing}
    here = {file.path for file in tree.state.lock.files} - gone
    size = sum(file.size for file in locked)
    if here.issuperset(file.path for file in locked):
        return f"{len(locked)} locked file{'s' * (len(locked) != 1)}, {size:,} bytes, hashed"
    return f"{sum(file.path in here for file in locked)} of {len(locked)} locked files hashed"


def _environment(tree: Tree, found: dict[Group, tuple[Change, ...]]) -> Item:
    environment = tree.environment
    if environment is None:
        return Item("environment", tree.state.unknown["packages"], skipped=True)
    kernel, interpreter = environment.kernel, environment.interpreter
    packages = counted_packages(interpreter)
    what = f"Python {interpreter.version} with {packages}, {kernel.python} ({kernel.source})"
    return Item("environment", what, (*package_findings(tree, found), *_uncompared(tree)))


def _uncompared(tree: Tree) -> Iterator[Finding]:
    """Editable installs whose locked wheel is not at hand."""
    store = project_store(tree.root)
    for package in tree.own.packages:
        if package.origin == "editable" and not any(store.has(file.sha256) for file in package.files):
            what = "its source was not compared, because its locked wheel is not in .repro/objects"
            yield Finding("note", "", package.name, what)
