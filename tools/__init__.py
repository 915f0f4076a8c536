"""Programs for developers: training, the paper's study, benchmarks and generated documentation."""
