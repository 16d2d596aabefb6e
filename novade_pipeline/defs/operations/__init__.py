"""Running the graph: the job of all assets, and the automation that follows changed sources."""
