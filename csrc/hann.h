/* The window. */
#ifndef HANN_H
#define HANN_H

/* window[n_fft]: a periodic Hann of win_length samples (scipy.signal.get_window("hann", fftbins=True)) with zeros on
 * both sides, as librosa.util.pad_center lays them. */
void hann_window(float *window, int n_fft, int win_length);

#endif
