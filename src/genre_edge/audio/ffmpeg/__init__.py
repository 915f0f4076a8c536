"""Decoding by ffmpeg: file formats that libsndfile does not support, and network streams.

Imported module by module, so that files load nothing of the network streams.
"""
