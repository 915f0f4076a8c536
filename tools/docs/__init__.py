"""Parts shared by the programs that generate documentation."""
