"""Talk to the nodes of one chain: typed answers, limits kept, wrong answers refused, fail-over."""
