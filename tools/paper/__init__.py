"""Reproduction of the paper: features, methods, splits, statistics, figures and page of tools.reproduce_paper."""
