"""Operating the graph: the job of all assets, maintenance, access checks and alerts."""
