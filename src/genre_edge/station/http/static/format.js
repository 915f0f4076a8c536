// Numbers and times as text.

const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const UNITS = [
  ["d", 86400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
];

const english = new Intl.NumberFormat("en");

/** Format an integer with thousands separators. */
export const formatInteger = (number) => english.format(number);

/** Format a fraction as a rounded percentage. */
export const formatPercent = (fraction) => `${Math.round(100 * fraction)} %`;

/** Format a rounded number with a minus sign (U+2212) instead of a hyphen. */
export const formatSigned = (number) => `${Math.round(number)}`.replace("-", "−");

/** Format unix seconds as local time of day: 14:05, or 14:05:09. */
export function formatTime(time, withSeconds = false) {
  const style = withSeconds ? { ...CLOCK, second: "2-digit" } : CLOCK;
  return new Date(1000 * time).toLocaleTimeString("en-GB", style);
}

/** Format seconds in the two largest units: 3 d 4 h. */
export function formatDuration(seconds) {
  const index = UNITS.findIndex(([, length]) => seconds >= length);
  if (index < 0) return "0 s";
  const [[unit, length], smaller] = UNITS.slice(index, index + 2);
  const rest = smaller ? Math.floor((seconds % length) / smaller[1]) : 0;
  return `${Math.floor(seconds / length)} ${unit}${rest ? ` ${rest} ${smaller[0]}` : ""}`;
}

/** Format a frequency in Hz or kHz, about as precisely as a mel band is wide. */
export const formatFrequency = (hz) =>
  hz < 1000 ? `${Math.round(hz / 10) * 10} Hz` : `${(hz / 1000).toFixed(1)} kHz`;
