"""Events and logs that others push: into the same decoder, by the same presets, as a chain's."""
