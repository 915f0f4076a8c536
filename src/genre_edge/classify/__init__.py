"""Genre classification: audio blocks -> mel frames -> patches -> probabilities -> verdicts."""
