"""The processes on a machine of the cluster: the Dask task and the agent."""
