"""One folder a domain, found by itself; the wiring that they share stands beside them."""
