"""What the speed claims rest on: `python -m benchmarks`, or `make bench`."""

import os

# One thread each, as a worker has it. NumPy and the others read these when they are first
# imported, so they stand in the package, before any of its modules.
for _name in (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
):
    os.environ[_name] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_PLATFORMS"] = "cpu"
