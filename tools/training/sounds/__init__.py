"""Unlabelled sound for training: sources, rendering of written music, synthesis."""
