"""Chains: what contracts emit becomes trades."""
