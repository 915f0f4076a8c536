"""The folder that passes a distillation to a machine with a GPU and back."""
