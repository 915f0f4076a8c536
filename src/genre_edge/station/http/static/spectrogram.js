// The log-mel spectrogram, scrolling from right to left.

import { createElement } from "./dom.js";

const VISIBLE_S = 30;
const BUFFER_S = 0.75; // columns arrive about twice a second; this delay keeps the scrolling smooth
const MAX_DELAY_S = 3; // with a longer delay, as after the page was in the background, skip to `BUFFER_S`
const REDUCED_MOTION_MS = 2000; // between pictures with prefers-reduced-motion
const FRAME_MS = 30;
const FLOOR_DB = -80; // level of the value 0; 255 is 0 dB
const TICKS_HZ = [250, 500, 1000, 2000, 4000, 8000];
// From dark blue over red to yellow, with evenly rising lightness: legible without colour vision.
const COLOUR_STOPS = [
  [4, 5, 20],
  [40, 17, 89],
  [101, 26, 128],
  [159, 42, 99],
  [212, 72, 66],
  [245, 125, 21],
  [250, 194, 40],
  [252, 255, 164],
];
const COLOURS = Uint32Array.from({ length: 256 }, (_, value) => interpolateColour(value / 255));
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

/** Return the colour at a fraction of full scale, as the four bytes of a pixel. */
function interpolateColour(fraction) {
  const position = fraction * (COLOUR_STOPS.length - 1);
  const low = Math.min(Math.floor(position), COLOUR_STOPS.length - 2);
  const bytes = COLOUR_STOPS[low].map((from, i) =>
    Math.round(from + (position - low) * (COLOUR_STOPS[low + 1][i] - from)),
  );
  return new Uint32Array(Uint8Array.from([...bytes, 255]).buffer)[0];
}

/** Slaney's mel scale, as in librosa: linear up to 1 kHz, logarithmic above. */
const LOG_STEP = Math.log(6.4) / 27;
const hzToMel = (hz) => (hz < 1000 ? (3 * hz) / 200 : 15 + Math.log(hz / 1000) / LOG_STEP);
const melToHz = (mel) => (mel < 15 ? (200 * mel) / 3 : 1000 * Math.exp((mel - 15) * LOG_STEP));

export class SpectrogramView {
  #canvas;
  #frequencyAxis;
  #columns = document.createElement("canvas").getContext("2d"); // one pixel for each value; the last column is newest
  #frameS = 0; // seconds in one column
  #nBands = 0;
  #rate = 22050; // of the model's audio in Hz; the bands reach up to half of it
  #nextIndex = null; // index of the next column
  #arrivalMs = 0;
  #delay = 0; // columns that have arrived and are not scrolled into view yet
  #drawnMs = 0;
  #animation = 0;
  #peak = { value: -1, band: 0 }; // since the last call of `takeLoudest`
  #paused = false;

  constructor(canvas, frequencyAxis, timeAxis, colourScale) {
    this.#canvas = canvas;
    this.#frequencyAxis = frequencyAxis;
    new ResizeObserver(() => this.#resize()).observe(canvas);
    for (let s = -VISIBLE_S; s <= 0; s += 10) timeAxis.append(createElement("span", "", s ? `−${-s} s` : "now"));
    const strip = new ImageData(new Uint8ClampedArray(COLOURS.buffer), COLOURS.length, 1);
    colourScale.width = COLOURS.length;
    colourScale.getContext("2d").putImageData(strip, 0, 0);
  }

  set paused(paused) {
    this.#paused = paused;
    this.#animate();
  }

  /** Set the sampling rate of the model's audio in Hz. */
  set rate(rate) {
    if (rate === this.#rate) return;
    this.#rate = rate;
    this.#drawFrequencyAxis();
  }

  /** Reset the column index, which starts from 0 when the station restarts. */
  restart() {
    this.#nextIndex = null;
  }

  /** Append the columns of a `frames` event. Columns that have been appended before are skipped. */
  push({ first, frame_s: frameS, n_mels: nBands, columns }) {
    if (nBands !== this.#nBands || frameS !== this.#frameS) this.#reset(nBands, frameS);
    const bytes = Uint8Array.from(atob(columns), (letter) => letter.charCodeAt(0));
    const nSkipped = Math.max(0, (this.#nextIndex ?? first) - first);
    const count = Math.floor(bytes.length / nBands) - nSkipped;
    if (count <= 0) return;
    const values = bytes.subarray(nSkipped * nBands);
    const nMissing = this.#countMissing(first + nSkipped, count);
    this.#nextIndex = first + nSkipped + count;
    this.#arrivalMs = performance.now();
    this.#append(values, count, nMissing);
    this.#delay += count + nMissing;
    this.#animate();
  }

  /** Return the loudest band since the last call: `{db, hz}`, or null without new columns. */
  takeLoudest() {
    const { value, band } = this.#peak;
    this.#peak = { value: -1, band: 0 };
    if (value < 0) return null;
    const mel = ((band + 1) / (this.#nBands + 1)) * hzToMel(this.#rate / 2);
    return { db: FLOOR_DB * (1 - value / 255), hz: melToHz(mel) };
  }

  #reset(nBands, frameS) {
    this.#nBands = nBands;
    this.#frameS = frameS;
    this.#nextIndex = null;
    this.#arrivalMs = 0;
    this.#delay = 0;
    this.#columns.canvas.width = Math.ceil((VISIBLE_S + MAX_DELAY_S) / frameS);
    this.#columns.canvas.height = nBands;
    this.#drawFrequencyAxis();
  }

  /** Count the columns that are missing before `first`; after a restart of the station, measure them by the clock. */
  #countMissing(first, count) {
    if (this.#nextIndex !== null) return first - this.#nextIndex;
    if (this.#arrivalMs === 0) return 0;
    const elapsed = (performance.now() - this.#arrivalMs) / 1000 / this.#frameS;
    return Math.max(1, Math.round(elapsed) - count);
  }

  #append(values, count, nMissing) {
    const { width } = this.#columns.canvas;
    const nDrawn = Math.min(count, width);
    const image = new ImageData(nDrawn, this.#nBands);
    const pixels = new Uint32Array(image.data.buffer);
    for (let x = 0; x < nDrawn; x++) {
      const start = (count - nDrawn + x) * this.#nBands;
      for (let band = 0; band < this.#nBands; band++) {
        const value = values[start + band];
        pixels[(this.#nBands - 1 - band) * nDrawn + x] = COLOURS[value];
        if (value > this.#peak.value) this.#peak = { value, band };
      }
    }
    this.#columns.globalCompositeOperation = "copy"; // missing columns become transparent
    this.#columns.drawImage(this.#columns.canvas, -Math.min(nDrawn + nMissing, width), 0);
    this.#columns.putImageData(image, width - nDrawn, 0);
  }

  /** Run the animation while there are columns to scroll into view. */
  #animate() {
    if (this.#animation || this.#paused || this.#delay <= 0) return;
    this.#animation = requestAnimationFrame((ms) => {
      this.#animation = 0;
      if (this.#paused) return;
      if (ms - this.#drawnMs >= (reducedMotion.matches ? REDUCED_MOTION_MS : FRAME_MS)) this.#scroll(ms);
      this.#animate();
    });
  }

  #scroll(ms) {
    const delayS = this.#delay * this.#frameS;
    const elapsedS = Math.min((ms - this.#drawnMs) / 1000, 0.2);
    const speed = Math.max(0.5, 1 + 0.2 * (delayS - BUFFER_S)); // approach the delay of `BUFFER_S` smoothly
    this.#drawnMs = ms;
    if (reducedMotion.matches) this.#delay = 0;
    else if (delayS > MAX_DELAY_S) this.#delay = BUFFER_S / this.#frameS;
    else this.#delay = Math.max(0, this.#delay - (speed * elapsedS) / this.#frameS);
    this.#draw();
  }

  #draw() {
    if (!this.#nBands) return;
    const { width, height } = this.#canvas;
    const nVisible = VISIBLE_S / this.#frameS;
    const context = this.#canvas.getContext("2d");
    const left = Math.max(0, this.#columns.canvas.width - nVisible - this.#delay);
    context.clearRect(0, 0, width, height);
    context.drawImage(this.#columns.canvas, left, 0, nVisible, this.#nBands, 0, 0, width, height);
  }

  #resize() {
    const { width, height } = this.#canvas.getBoundingClientRect();
    this.#canvas.width = Math.round(width * devicePixelRatio);
    this.#canvas.height = Math.round(height * devicePixelRatio);
    this.#draw();
  }

  #drawFrequencyAxis() {
    const topMel = hzToMel(this.#rate / 2);
    const labels = TICKS_HZ.filter((hz) => hz < this.#rate / 2).map((hz) => {
      const label = createElement("span", "", hz < 1000 ? `${hz} Hz` : `${hz / 1000} kHz`);
      const band = (hzToMel(hz) / topMel) * (this.#nBands + 1) - 0.5;
      label.style.bottom = `${(100 * band) / this.#nBands}%`;
      return label;
    });
    this.#frequencyAxis.replaceChildren(...labels);
  }
}
