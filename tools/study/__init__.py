"""Measurements behind tools.study_model, one module a section of the model card."""
