"""A listener under watch: sound without end, the process that hears it, and what is written down. For tools/soak.py."""
