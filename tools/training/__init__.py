"""What train_and_export.py and evaluate.py share: data, architectures, fitting, export, figures."""
