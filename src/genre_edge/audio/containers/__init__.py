"""Structure of audio files, from their data: where the audio lies and how long it should be."""
