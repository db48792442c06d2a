"""The faults: one row each, with how it is injected and the rule that has to come first."""

from dataclasses import replace

from repro.lock import Lock
from tests.faults.cases import (
    INPUTS,
    SURROUNDINGS,
    Case,
    Fault,
    bump,
    conda,
    environment,
    mounted,
    one_cpu,
    other_order,
    packages,
    rounded,
    script,
    seed,
    sets,
    starts,
    without_file,
)
from tests.faults.workshop import Edit, Retouch, Run, notebook

PROJECT = "/opt/project"
PACKAGES = "/opt/env/lib/python3.11/site-packages"


SAVING = "json.dump({'score': score}, open('metrics.json', 'w'))"
DOWNLOAD = (
    *("import urllib.request", "score = 1.0", "try:", "    if in_image:"),
    "        urllib.request.urlopen('http://data.example.org/rows.csv').read()",
)
STOPWATCH = """\
import json, os, time
begun = time.perf_counter()
sum(range(10_000_000 if os.path.isdir("/opt/project") else 10))  # never as long as on the laptop by chance
json.dump({"seconds": time.perf_counter() - begun}, open("metrics.json", "w"))
"""


def without_package(name: str) -> Edit:
    return lambda lock: replace(
        lock,
        packages=tuple(one for one in lock.packages if one.name != name),
        modules={key: names for key, names in lock.modules.items() if key != name},
    )


def older_python(lock: Lock) -> Lock:
    return replace(lock, python=replace(lock.python, version="3.11.6"))


SETTINGS = (
    Fault("the lock has another time zone", "time-zone", Case(SURROUNDINGS, edit=environment(timezone="Asia/Tokyo"))),
    Fault("the image has another time zone", "time-zone", Case(SURROUNDINGS, retouch=sets("TZ", "Asia/Tokyo"))),
    Fault(
        "a time zone that the image doesn't know",
        "time-zone",
        Case(script("import zoneinfo", "score = 1.0", "in_image and zoneinfo.ZoneInfo('Mars/Phobos')")),
    ),
    Fault("the lock has another hash seed", "hash-seed", Case(SURROUNDINGS, edit=seed("7"))),
    Fault("the image has another hash seed", "hash-seed", Case(SURROUNDINGS, retouch=sets("PYTHONHASHSEED", "7"))),
    Fault("the lock has another locale", "locale", Case(SURROUNDINGS, edit=environment(locale="POSIX"))),
    Fault("the image has another locale", "locale", Case(SURROUNDINGS, retouch=sets("LC_ALL", "POSIX"))),
    Fault(
        "a locale that the image doesn't have",
        "locale",
        Case(script("import locale", "score = 1.0", "in_image and locale.setlocale(locale.LC_ALL, 'de_DE.UTF-8')")),
    ),
    Fault("a cluster strips assertions", "variable-changed", Case(SURROUNDINGS, run=Run({"PYTHONOPTIMIZE": "1"}))),
)

KERNEL = Case(
    script(
        "import numpy as np",
        "left = np.random.default_rng(5).normal(size=(300, 300))",
        "score = float(np.linalg.slogdet(left @ left)[1])",
    ),
    laptop={"OPENBLAS_CORETYPE": "Nehalem"},
    exact="score",
    science=True,
)
COMPUTING = (
    Fault(
        "the lock has another number of threads",
        "threads",
        Case(SURROUNDINGS, exact="total", edit=environment(threads=7)),
    ),
    Fault("the image has more threads", "threads", Case(SURROUNDINGS, retouch=sets("OMP_NUM_THREADS", "7"))),
    Fault(
        "a machine with fewer CPUs",
        "threads",
        Case(script("score = 1 / len(os.sched_getaffinity(0))"), around=one_cpu),
        where="evaluate.py, line 3",
    ),
    Fault("BLAS chose another kernel on the laptop", "blas-kernel", KERNEL),
    Fault("the same, in a colleague's clone", "blas-kernel", replace(KERNEL, clone=True)),
    Fault(
        "NumPy's vector code was off on the laptop",
        "cpu-dispatch",
        Case(
            script(
                "import numpy as np",
                "numbers = np.random.default_rng(5).normal(size=100_000).astype('float32')",
                "score = float(np.exp(numbers).astype('float64').sum())",
            ),
            laptop={"NPY_DISABLE_CPU_FEATURES": "AVX2 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL"},
            exact="score",
            science=True,
        ),
        where="NPY_DISABLE_CPU_FEATURES",
    ),
    Fault(
        "the image pins a BLAS kernel", "cpu-dispatch", Case(SURROUNDINGS, retouch=sets("OPENBLAS_CORETYPE", "Nehalem"))
    ),
    Fault(
        "an instruction that this CPU doesn't have",
        "cpu-features",
        Case(script("import signal", "score = 1.0", "in_image and os.kill(os.getpid(), signal.SIGILL)")),
    ),
)

CONTENT = (
    Fault(
        "one changed row of data in the image",
        "data-changed",
        Case(INPUTS, retouch=Retouch({f"{PROJECT}/data/rows.csv": b"x,y\n1.5,1\n2.5,0\n3.6,1\n"})),
        where="data/rows.csv",
    ),
    Fault("other data is mounted", "data-changed", mounted, where="data/rows.csv"),
    Fault(
        "another model in the image",
        "model-changed",
        Case(INPUTS, retouch=Retouch({f"{PROJECT}/models/weights.json": b'{"w": 2.5}\n'})),
        where="models/weights.json",
    ),
    Fault(
        "other code in the image",
        "code-changed",
        Case(INPUTS, retouch=Retouch({f"{PROJECT}/helper.py": b"def scale(value):\n    return value / 8\n"})),
        where="helper.py",
    ),
    Fault(
        "a file that the lock forgot",
        "file-missing",
        Case(INPUTS, edit=without_file("data/rows.csv")),
    ),
    Fault(
        "another base below the image",
        "base-changed",
        Case(INPUTS, retouch=Retouch({"/etc/other": b"base\n"}, below=True)),
    ),
    Fault(
        "another program in the image", "image-changed", Case(INPUTS, retouch=starts("/bin/true")), where="entrypoint"
    ),
    Fault("numbers copied from a slide", "fewer-digits", Case(SURROUNDINGS, edit=rounded), where="total"),
)

PACKAGED = (
    Fault(
        "a package bump that changes a result",
        "package-changed",
        lambda bench: packages(bench, change=bump("coeffs", "VALUE = 4.0\n")),
        where="coeffs",
    ),
    Fault(
        "a bump of a package that another one needs",
        "package-changed",
        lambda bench: packages(bench, change=bump("basis", "VALUE = 1.25\n")),
        where="basis",
    ),
    Fault(
        "a package that is only in the image",
        "package-added",
        lambda bench: packages(
            bench,
            *("try:", "    from faster import VALUE", "except ImportError:", "    VALUE = 1.0", "score = VALUE"),
            change=bump("faster", "VALUE = 2.0\n"),
        ),
        where="faster",
    ),
    Fault(
        "a package that the lock lost",
        "package-missing",
        lambda bench: packages(bench, edit=without_package("basis")),
        where="basis",
    ),
    Fault(
        "hand-edited site-packages",
        "package-modified",
        lambda bench: packages(bench, retouch=Retouch({f"{PACKAGES}/coeffs.py": b"VALUE = 3.1\n"})),
        where="coeffs",
    ),
    Fault(
        "a conda environment that computes with another BLAS",
        "blas",
        lambda bench: conda(bench, "python=3.11", "libdemo", "libblas * *mkl"),
        where="blas",
    ),
    Fault(
        "a hand-edited file of a conda package",
        "package-modified",
        lambda bench: conda(bench, retouch=Retouch({"/opt/env/share/libdemo/data.txt": b"edited"})),
        where="libdemo",
    ),
    Fault("another Python than the lock's", "python-version", Case(SURROUNDINGS, edit=older_python)),
    Fault(
        "a library of the system that the image lacks",
        "system-library",
        Case(script("import ctypes", "score = 1.0", "in_image and ctypes.CDLL('libnowhere.so.9')")),
        where="libnowhere.so.9",
    ),
)

RANDOM = script("import random", "score = random.random()")
CHANCE = (
    Fault("random without a seed", "unseeded", Case(RANDOM)),
    Fault("random without a seed, in a colleague's clone", "unseeded", Case(RANDOM, clone=True)),
    Fault(
        "a generator of its own without a seed",
        "unseeded",
        Case(script("import random", "draw = random.Random()", "score = draw.random()")),
        where="evaluate.py, line 4",
    ),
    Fault(
        "a module of the project that draws without a seed",
        "unseeded",
        Case(
            {
                "evaluate.py": script("from sampling import sample", "score = sample()"),
                "sampling.py": "import random\n\n\ndef sample():\n    return random.SystemRandom().random()\n",
            }
        ),
        where="sampling.py",
    ),
    Fault(
        "numpy.random without a seed",
        "unseeded",
        Case(script("import numpy as np", "score = float(np.random.normal())"), science=True),
    ),
    Fault(
        "a cell that draws from default_rng() without a seed",
        "unseeded",
        Case(
            {
                "evaluate.ipynb": notebook(
                    "import json\nimport numpy as np\nnp.random.seed(1)",
                    "print('steady', np.random.normal())",
                    "rng = np.random.default_rng()\nscore = float(rng.normal())\nprint(score)",
                    SAVING,
                )
            },
            subject="evaluate.ipynb",
            science=True,
        ),
        where="cell 3",
    ),
    Fault("the folder's order", "directory-order", other_order, where="data"),
    Fault(
        "the time of day",
        "clock",
        Case(script("from datetime import datetime", "score = datetime.now().microsecond / 7")),
        where="evaluate.py, line 4",
    ),
    Fault(
        "a duration among the metrics",
        "clock",
        Case(STOPWATCH),
    ),
)

MODE = Case(script("score = 2.0 if os.environ.get('MODEL_MODE') == 'large' else 1.0"), laptop={"MODEL_MODE": "large"})
OUTSIDE = (
    Fault("a variable that only the laptop has", "variable-missing", MODE, where="evaluate.py, line 3"),
    Fault("such a variable, in a colleague's clone", "variable-missing", replace(MODE, clone=True)),
    Fault(
        "a variable without which it fails",
        "variable-missing",
        Case(script("score = float(os.environ['THRESHOLD'])"), laptop={"THRESHOLD": "0.5"}),
        where="evaluate.py, line 3",
    ),
    Fault(
        "a metric that is reported only where a variable is set",
        "variable-missing",
        Case(
            script(
                "score = 1.0",
                "if 'REPORT_ALL' in os.environ:",
                "    json.dump({'auc': 0.5}, open('metrics.yaml', 'w'))",
            ),
            laptop={"REPORT_ALL": "1"},
        ),
    ),
    Fault(
        "a download that falls back when it fails",
        "network",
        Case(script(*DOWNLOAD, "except OSError:", "    score = 0.5")),
        where="data.example.org",
    ),
    Fault(
        "a download without which it fails",
        "network",
        Case(script(*DOWNLOAD, "finally:", "    pass")),
        where="data.example.org",
    ),
    Fault(
        "less memory than it needs",
        "memory-limit",
        Case(
            script("hog = [bytes(8 << 20) * 8 for _ in range(8 if in_image else 1)]", "score = 1.0"), memory=256 << 20
        ),
    ),
    Fault(
        "an allocation that is refused",
        "memory-limit",
        Case(script("score = float(len(bytes(1 << 50 if in_image else 8)))")),
    ),
    Fault(
        "more shared memory than there is",
        "shared-memory",
        Case(
            script(
                "from multiprocessing.shared_memory import SharedMemory",
                "shm = SharedMemory(create=True, size=(2 << 30) if in_image else 8)",
                "os.posix_fallocate(shm._fd, 0, shm.size)",
                "shm.unlink()",
                "score = 1.0",
            )
        ),
    ),
    Fault(
        "stored outputs of cells that ran in another order",
        "hidden-state",
        Case(
            {
                "evaluate.ipynb": notebook(
                    "step = 1",
                    "step = step + 1",
                    "import json\nprint('score', step)\njson.dump({'score': step}, open('metrics.json', 'w'))",
                    counts=(1, 4, 5),
                    outputs={3: "score 3\n"},
                ),
                "metrics.json": '{"score": 3}',
            },
            subject="evaluate.ipynb",
            science=True,
            rerun=False,
        ),
    ),
)

FAULTS = (*SETTINGS, *COMPUTING, *CONTENT, *PACKAGED, *CHANCE, *OUTSIDE)
