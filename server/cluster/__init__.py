"""Training on the workers of a Dask cluster: the server's side."""
