"""Parts of tools.imitate: style statistics of a song, a spectrogram that matches them, and its audio."""
