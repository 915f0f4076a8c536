"""Soak tests: endless test audio, the process under test, and the CSV of its resource usage."""
