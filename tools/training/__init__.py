"""Training library behind train_and_export, evaluate and study_model."""
