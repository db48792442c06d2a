"""A process that assembles layers for another one (`repro_oci.workers`) until that closes the pipe, or ends."""

import os
import pickle
import signal
import sys

from repro_oci.cache import CachedLayer, LayerCache
from repro_oci.jobs import Job, assemble


def main() -> None:
    """Answer each job on standard input with its layer, or the error that it ended with, on standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of a terminal; the first one decides
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever else is printed is no answer
    while True:
        try:
            job, directory = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the process that started this one
        except EOFError:
            os._exit(0)  # taking an interpreter down in order keeps the other process waiting for nothing
        pickle.dump(_outcome(job, LayerCache(directory)), answers)
        answers.flush()


def _outcome(job: Job, cache: LayerCache) -> CachedLayer | Exception:
    try:
        return assemble(job, cache)
    except Exception as error:  # noqa: BLE001 - raised by the other process
        return error


if __name__ == "__main__":
    main()
