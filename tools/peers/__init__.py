"""Parts of tools.bench_mel and tools.count_instructions: implementations, measurement, chart and tables."""
