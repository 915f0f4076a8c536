"""A new mel spectrogram with the style of a song, and its sound: the parts of tools/imitate.py."""
