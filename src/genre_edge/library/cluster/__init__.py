"""The scan of a library by many machines: Dask, files from any fsspec URL, results as Parquet partitions."""
