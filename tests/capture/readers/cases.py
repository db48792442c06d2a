"""How people read files in Python: for each reader what makes the file and what reads it.

Run in an environment of its own: `cases.py make FOLDER` and `cases.py read FOLDER`; `told.json` beside it
says what was done.
"""

import importlib
import json
import os
import pathlib
import subprocess  # noqa: F401 - for the cases
import sys

# name: (packages needed, file, how it is made, how it is read); `p` is the path
CASES = {
    "open": ("", "a.txt", "open(p, 'w').write('1')", "open(p).read()"),
    "pathlib": ("", "b.txt", "open(p, 'w').write('1')", "pathlib.Path(p).read_bytes()"),
    "os.open": ("", "c.txt", "open(p, 'w').write('1')", "os.read(os.open(p, os.O_RDONLY), 9)"),
    "mmap": ("mmap", "d.bin", "open(p, 'w').write('1')", "m.mmap(os.open(p, os.O_RDONLY), 0, prot=m.PROT_READ)[:]"),
    "json": ("json", "e.json", "open(p, 'w').write('1')", "m.load(open(p))"),
    "pickle": ("pickle", "f.pkl", "m.dump(1, open(p, 'wb'))", "m.load(open(p, 'rb'))"),
    "zipfile": ("zipfile", "g.zip", "m.ZipFile(p, 'w').writestr('a', 'b')", "m.ZipFile(p).read('a')"),
    "gzip": ("gzip", "h.gz", "m.open(p, 'w').write(b'1')", "m.open(p).read()"),
    "sqlite3": ("sqlite3", "i.db", "m.connect(p).execute('create table t (a)')", "list(m.connect(p).execute(MASTER))"),
    "yaml": ("yaml", "j.yaml", "open(p, 'w').write('a: 1')", "m.safe_load(open(p))"),
    "joblib": ("joblib", "k.joblib", "m.dump([1], p)", "m.load(p)"),
    "numpy.load": ("numpy", "l.npy", "m.save(p, m.ones(9))", "m.load(p)"),
    "numpy.load mapped": ("numpy", "m.npy", "m.save(p, m.ones(9))", "m.load(p, mmap_mode='r').sum()"),
    "numpy.memmap": ("numpy", "n.bin", "m.ones(9).tofile(p)", "m.memmap(p, mode='r').sum()"),
    "numpy.fromfile": ("numpy", "o.bin", "m.ones(9).tofile(p)", "m.fromfile(p)"),
    "numpy.loadtxt": ("numpy", "p.txt", "m.savetxt(p, m.ones(9))", "m.loadtxt(p)"),
    "scipy.io": ("scipy.io numpy", "q.mat", "m.savemat(p, {'a': 1})", "m.loadmat(p)"),
    "PIL": ("PIL.Image", "r.png", "m.new('L', (3, 3)).save(p)", "m.open(p).load()"),
    "pandas csv": ("pandas", "s.csv", "open(p, 'w').write('a\\n1\\n')", "m.read_csv(p)"),
    "pandas csv by pyarrow": (
        *("pandas pyarrow", "t.csv", "open(p, 'w').write('a\\n1\\n')"),
        "m.read_csv(p, engine='pyarrow')",
    ),
    "pandas excel": ("pandas openpyxl", "u.xlsx", "FRAME(m).to_excel(p)", "m.read_excel(p)"),
    "pandas parquet": ("pandas pyarrow", "v.parquet", "FRAME(m).to_parquet(p)", "m.read_parquet(p)"),
    "pandas feather": ("pandas pyarrow", "w.feather", "FRAME(m).to_feather(p)", "m.read_feather(p)"),
    "h5py": ("h5py", "x.h5", "m.File(p, 'w').create_dataset('a', data=[1])", "m.File(p)['a'][:]"),
    "pyarrow.parquet": ("pyarrow.parquet pyarrow", "y.parquet", "m.write_table(TABLE(), p)", "m.read_table(p)"),
    "pyarrow.dataset": (
        *("pyarrow.dataset pyarrow.parquet", "set/z.parquet", "os.makedirs('set', exist_ok=True); PARQUET(p)"),
        "m.dataset('set').to_table()",
    ),
    "pyarrow.memory_map": ("pyarrow", "aa.bin", "open(p, 'w').write('1')", "m.memory_map(p).read()"),
    "polars csv": ("polars", "ab.csv", "open(p, 'w').write('a\\n1\\n')", "m.read_csv(p)"),
    "polars scan": ("polars", "ac.parquet", "m.DataFrame({'a': [1]}).write_parquet(p)", "m.scan_parquet(p).collect()"),
    "duckdb": ("duckdb", "ad.db", "m.connect(p).sql('create table t (a int)')", "m.connect(p, read_only=True)"),
    "duckdb query": (
        *("duckdb", "ae.csv", "open(p, 'w').write('a\\n1\\n')"),
        "m.sql(f\"select * from '{os.path.relpath(p)}'\").fetchall()",
    ),
    "safetensors": (
        *("safetensors.numpy numpy", "af.safetensors", "m.save_file({'a': NUMPY().ones(3)}, p)"),
        "m.load_file(p)",
    ),
    "XGBoost": (
        *("xgboost numpy", "ag.ubj", "m.train({}, m.DMatrix(NUMPY().eye(4), NUMPY().ones(4)), 1).save_model(p)"),
        "m.Booster().load_model(p)",
    ),
    "LightGBM Dataset": (
        *("lightgbm", "ah.csv", "open(p, 'w').write('1,2\\n0,3\\n' * 40)"),
        "m.Dataset(p, params={'verbose': -1}).construct()",
    ),
    "LightGBM Booster": (
        "lightgbm numpy",
        "ai.txt",
        "m.train({'verbose': -1}, m.Dataset(NUMPY().eye(40), NUMPY().ones(40)), 1).save_model(p)",
        "m.Booster(model_file=p)",
    ),
    "netCDF4": ("netCDF4", "aj.nc", "m.Dataset(p, 'w').close()", "m.Dataset(p).close()"),
    "OpenCV": ("cv2 numpy", "ak.png", "m.imwrite(p, NUMPY().zeros((3, 3), 'uint8'))", "m.imread(p)"),
    "child process": ("", "al.txt", "open(p, 'w').write('1')", "subprocess.run(['cat', p], check=True)"),
    "child Python": ("", "am.txt", "open(p, 'w').write('1')", "subprocess.run([sys.executable, '-c', OPEN, p])"),
    "os.system": ("", "an.txt", "open(p, 'w').write('1')", "os.system(f'cat {p} > /dev/null')"),
    "loky worker": (
        *("joblib", "ao.txt", "open(p, 'w').write('1')"),
        "m.Parallel(2)(m.delayed(pathlib.Path.read_text)(pathlib.Path(p)) for _ in '12')",
    ),
    "!cat": ("IPython.utils.process", "aq.txt", "open(p, 'w').write('1')", "m.system(f'cat {p} > /dev/null')"),
    "multiprocessing spawn": (
        *("multiprocessing", "ap.txt", "open(p, 'w').write('1')"),
        "m.get_context('spawn').Pool(1).map(pathlib.Path.read_text, [pathlib.Path(p)])",
    ),
}
MASTER = "select * from sqlite_master"
OPEN = "import sys; open(sys.argv[1]).read()"


def NUMPY():  # noqa: N802 - short names for the table
    return importlib.import_module("numpy")


def FRAME(pandas):  # noqa: N802
    return pandas.DataFrame({"a": [1.0, 2.0]})


def TABLE():  # noqa: N802
    return importlib.import_module("pyarrow").table({"a": [1]})


def PARQUET(path):  # noqa: N802
    importlib.import_module("pyarrow.parquet").write_table(TABLE(), path)


def main() -> None:
    """Make and read, or read, every case whose packages are there; a reason for those that are not."""
    action, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    os.chdir(folder)
    told = {}
    for name, (packages, file, make, read) in CASES.items():
        try:
            modules = [importlib.import_module(package) for package in packages.split()]
        except ImportError as error:
            told[name] = f"not installed: {error}"
            continue
        values = {**globals(), "m": modules[0] if modules else None, "p": str(folder / file)}
        for source in (make, read) if action == "make" else (read,):
            exec(source, values)
        told[name] = "done"
    (folder.parent / "told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
