"""The paper's study, again: features, methods, protocols, figures and the document of tools/reproduce_paper.py."""
