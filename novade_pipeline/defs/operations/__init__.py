"""Running the graph: the job of all assets, what follows changed sources, and who is told."""
