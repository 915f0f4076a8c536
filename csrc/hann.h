/* The Hann window. */
#ifndef HANN_H
#define HANN_H

/* Write window[n_fft]: a periodic Hann window of win_length samples (scipy.signal.get_window("hann", fftbins=True)),
 * zero-padded to n_fft on both sides as by librosa.util.pad_center. */
void hann_window(float *window, int n_fft, int win_length);

#endif
