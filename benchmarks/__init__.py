"""The benchmarks behind the speed claims: `python -m benchmarks`, or `make bench`."""

import os

# One thread each, as in a worker. NumPy and the other libraries read these variables when they are
# imported, so they are set here, before any module of this package is imported.
for _name in (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
):
    os.environ[_name] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_PLATFORMS"] = "cpu"
