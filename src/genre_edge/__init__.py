"""genre-edge hears the genre of music, offline, on a small computer. The public names, nothing else."""
