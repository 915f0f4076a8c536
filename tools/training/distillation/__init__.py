"""Distillation of the AudioSet teacher: sound, views, networks, training, heads."""
