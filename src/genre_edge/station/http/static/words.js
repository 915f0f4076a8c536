// Numbers and times in words.

const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const UNITS = [
  ["d", 86400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
];

const english = new Intl.NumberFormat("en");

/** A whole number with commas between thousands. */
export const whole = (number) => english.format(number);

export const percent = (share) => `${Math.round(100 * share)} %`;

/** A whole number with a real minus sign. */
export const signed = (number) => `${Math.round(number)}`.replace("-", "−");

/** Unix seconds as the time of day here: 14:05, or 14:05:09. */
export function timeOfDay(time, seconds = false) {
  const style = seconds ? { ...CLOCK, second: "2-digit" } : CLOCK;
  return new Date(1000 * time).toLocaleTimeString("en-GB", style);
}

/** Seconds in the two largest units: 3 d 4 h. */
export function duration(seconds) {
  const first = UNITS.findIndex(([, length]) => seconds >= length);
  if (first < 0) return "0 s";
  const [[big, length], small] = UNITS.slice(first, first + 2);
  const left = small ? Math.floor((seconds % length) / small[1]) : 0;
  return `${Math.floor(seconds / length)} ${big}${left ? ` ${left} ${small[0]}` : ""}`;
}

/** A pitch in Hz or kHz, no finer than a band. */
export const pitch = (hz) => (hz < 1000 ? `${Math.round(hz / 10) * 10} Hz` : `${(hz / 1000).toFixed(1)} kHz`);
