"""Live events for those who watch: what happens, told in order, each of them once."""
