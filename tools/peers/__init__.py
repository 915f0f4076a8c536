"""Parts of tools/bench_mel.py: who is measured (peers), and the picture (chart)."""
