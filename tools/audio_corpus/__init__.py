"""Audio files of many formats, intact, damaged and joined, for `tools.formats` and `tools.fuzz_files`."""
