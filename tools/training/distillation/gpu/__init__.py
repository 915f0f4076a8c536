"""Distillation on a GPU with PyTorch, of the networks that `tools.training.distillation` builds with TensorFlow."""
