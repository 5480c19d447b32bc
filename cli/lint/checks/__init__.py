"""The checks, each a function with its code: see cli/lint/finding.py. A module here is found by itself."""
