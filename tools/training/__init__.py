"""Training library behind train_and_export, evaluate, study_model and ablate_model."""
