// The log-mel spectrogram, scrolling from right to left.

import { element } from "./dom.js";

const SECONDS = 30; // in view
const BUFFER_S = 0.75; // columns come about twice a second; scrolling so far behind them never stops
const SNAP_S = 3; // further behind (the page was in the background): jump
const STEP_MS = 2000; // with reduced motion: one still picture after the other
const FRAME_MS = 30; // 30 pictures a second are enough
const FLOOR_DB = -80; // of a value of 0; 255 is 0 dB
const TICKS_HZ = [250, 500, 1000, 2000, 4000, 8000];
// Dark blue to yellow over red, as in the project's other pictures: lightness rises evenly, so that it reads without
// colour vision.
const STOPS = [
  [4, 5, 20],
  [40, 17, 89],
  [101, 26, 128],
  [159, 42, 99],
  [212, 72, 66],
  [245, 125, 21],
  [250, 194, 40],
  [252, 255, 164],
];
const COLOURS = Uint32Array.from({ length: 256 }, (_, value) => colour(value / 255));
const still = matchMedia("(prefers-reduced-motion: reduce)");

/** A share of full scale as the four bytes of a pixel. */
function colour(share) {
  const place = share * (STOPS.length - 1);
  const low = Math.min(Math.floor(place), STOPS.length - 2);
  const bytes = STOPS[low].map((from, i) => Math.round(from + (place - low) * (STOPS[low + 1][i] - from)));
  return new Uint32Array(Uint8Array.from([...bytes, 255]).buffer)[0];
}

/** Slaney's mel scale: linear to 1 kHz, then logarithmic. */
const LOG_STEP = Math.log(6.4) / 27;
const melOf = (hz) => (hz < 1000 ? (3 * hz) / 200 : 15 + Math.log(hz / 1000) / LOG_STEP);
const hzOf = (mel) => (mel < 15 ? (200 * mel) / 3 : 1000 * Math.exp((mel - 15) * LOG_STEP));

export class Spectrogram {
  #canvas;
  #hertz;
  #columns = document.createElement("canvas").getContext("2d"); // a pixel a value; the newest column is the last
  #frameS = 0;
  #bands = 0;
  #rate = 22050; // of the model's audio: the bands reach to half of it
  #next = null; // index of the column that comes next
  #arrivedMs = 0;
  #behind = 0; // columns that are not yet scrolled in
  #drawnMs = 0;
  #loop = 0;
  #peak = { value: -1, band: 0 }; // since `loudest` was asked
  #paused = false;

  constructor(canvas, hertz, seconds, scale) {
    this.#canvas = canvas;
    this.#hertz = hertz;
    new ResizeObserver(() => this.#fit()).observe(canvas);
    for (let s = -SECONDS; s <= 0; s += 10) seconds.append(element("span", "", s ? `−${-s} s` : "now"));
    const strip = new ImageData(new Uint8ClampedArray(COLOURS.buffer), COLOURS.length, 1);
    scale.width = COLOURS.length;
    scale.getContext("2d").putImageData(strip, 0, 0);
  }

  set paused(paused) {
    this.#paused = paused;
    this.#move();
  }

  /** The sampling rate of what the model hears, in Hz. */
  set rate(rate) {
    if (rate === this.#rate) return;
    this.#rate = rate;
    this.#labelBands();
  }

  /** The station was started anew, and counts its columns anew. */
  restart() {
    this.#next = null;
  }

  /** Take the columns of one event; those that are known already (a station may tell the last ones again) are not. */
  push({ first, frame_s: frameS, n_mels: bands, columns }) {
    if (bands !== this.#bands || frameS !== this.#frameS) this.#begin(bands, frameS);
    const told = Uint8Array.from(atob(columns), (letter) => letter.charCodeAt(0));
    const known = Math.max(0, (this.#next ?? first) - first);
    const count = Math.floor(told.length / bands) - known;
    if (count <= 0) return;
    const values = told.subarray(known * bands);
    const missing = this.#missing(first + known, count);
    this.#next = first + known + count;
    this.#arrivedMs = performance.now();
    this.#append(values, count, missing);
    this.#behind += count + missing;
    this.#move();
  }

  /** The loudest band since this was last asked: `{db, hz}`, or null without columns. */
  loudest() {
    const { value, band } = this.#peak;
    this.#peak = { value: -1, band: 0 };
    if (value < 0) return null;
    const mel = ((band + 1) / (this.#bands + 1)) * melOf(this.#rate / 2);
    return { db: FLOOR_DB * (1 - value / 255), hz: hzOf(mel) };
  }

  #begin(bands, frameS) {
    this.#bands = bands;
    this.#frameS = frameS;
    this.#next = null;
    this.#arrivedMs = 0;
    this.#behind = 0;
    this.#columns.canvas.width = Math.ceil((SECONDS + SNAP_S) / frameS);
    this.#columns.canvas.height = bands;
    this.#labelBands();
  }

  /** Columns that were lost before `first`; by the clock where the station counts anew. */
  #missing(first, count) {
    if (this.#next !== null) return first - this.#next;
    if (this.#arrivedMs === 0) return 0;
    const away = (performance.now() - this.#arrivedMs) / 1000 / this.#frameS;
    return Math.max(1, Math.round(away) - count);
  }

  #append(values, count, missing) {
    const { width } = this.#columns.canvas;
    const shown = Math.min(count, width);
    const image = new ImageData(shown, this.#bands);
    const pixels = new Uint32Array(image.data.buffer);
    for (let x = 0; x < shown; x++) {
      const start = (count - shown + x) * this.#bands;
      for (let band = 0; band < this.#bands; band++) {
        const value = values[start + band];
        pixels[(this.#bands - 1 - band) * shown + x] = COLOURS[value];
        if (value > this.#peak.value) this.#peak = { value, band };
      }
    }
    this.#columns.globalCompositeOperation = "copy"; // what is missing becomes transparent
    this.#columns.drawImage(this.#columns.canvas, -Math.min(shown + missing, width), 0);
    this.#columns.putImageData(image, width - shown, 0);
  }

  /** See to it that the picture moves for as long as there is something to scroll in. */
  #move() {
    if (this.#loop || this.#paused || this.#behind <= 0) return;
    this.#loop = requestAnimationFrame((ms) => {
      this.#loop = 0;
      if (this.#paused) return;
      if (ms - this.#drawnMs >= (still.matches ? STEP_MS : FRAME_MS)) this.#advance(ms);
      this.#move();
    });
  }

  #advance(ms) {
    const behindS = this.#behind * this.#frameS;
    const passedS = Math.min((ms - this.#drawnMs) / 1000, 0.2);
    const speed = Math.max(0.5, 1 + 0.2 * (behindS - BUFFER_S)); // gently to the wanted distance
    this.#drawnMs = ms;
    if (still.matches) this.#behind = 0;
    else if (behindS > SNAP_S) this.#behind = BUFFER_S / this.#frameS;
    else this.#behind = Math.max(0, this.#behind - (speed * passedS) / this.#frameS);
    this.#draw();
  }

  #draw() {
    if (!this.#bands) return;
    const { width, height } = this.#canvas;
    const inView = SECONDS / this.#frameS;
    const picture = this.#canvas.getContext("2d");
    const left = Math.max(0, this.#columns.canvas.width - inView - this.#behind);
    picture.clearRect(0, 0, width, height);
    picture.drawImage(this.#columns.canvas, left, 0, inView, this.#bands, 0, 0, width, height);
  }

  #fit() {
    const { width, height } = this.#canvas.getBoundingClientRect();
    this.#canvas.width = Math.round(width * devicePixelRatio);
    this.#canvas.height = Math.round(height * devicePixelRatio);
    this.#draw();
  }

  #labelBands() {
    const top = melOf(this.#rate / 2);
    const ticks = TICKS_HZ.filter((hz) => hz < this.#rate / 2).map((hz) => {
      const tick = element("span", "", hz < 1000 ? `${hz} Hz` : `${hz / 1000} kHz`);
      tick.style.bottom = `${(100 * ((melOf(hz) / top) * (this.#bands + 1) - 0.5)) / this.#bands}%`;
      return tick;
    });
    this.#hertz.replaceChildren(...ticks);
  }
}
