// The station's health as a list of names and values.

import { createElement, setText } from "./dom.js";
import { formatDuration, formatInteger, formatSigned } from "./format.js";

const MAX_LAG_MS = 1000; // from the end of the audio to its verdict
const MAX_TEMPERATURE_C = 80; // from this temperature a Raspberry Pi throttles its CPU

const HISTORY_STATES = {
  memory: "In memory",
  file: "In a file",
  read_only: "Read-only file; the newest verdicts are kept in memory",
  failing: "File error; the newest verdicts are kept in memory",
};
const MQTT_STATES = { connected: "Connected", failing: "Not connected, reconnecting" };

function formatHistory(status) {
  const lost = status.history_lost ? `; ${formatInteger(status.history_lost)} verdicts lost` : "";
  return HISTORY_STATES[status.history] + lost;
}

function formatDropped(status, rate) {
  const samples = status.dropped_samples;
  return samples && rate ? `${formatInteger(samples)} (${(samples / rate).toFixed(2)} s)` : formatInteger(samples);
}

function formatAudio({ listening, paused }) {
  if (paused) return "None, the station is paused";
  return listening ? "Receiving" : "None, waiting for the source";
}

/** Return `[name, value, isAlarm]` for each row; rows without a value are hidden. */
function healthRows(status, rate) {
  return [
    ["Source", status.source, false],
    ["Audio", formatAudio(status), !status.listening && !status.paused],
    ["Level", status.level_db === null ? null : `${formatSigned(status.level_db)} dB`, false],
    ["Processed audio", formatDuration(status.position_s), false],
    ["Dropped samples", formatDropped(status, rate), status.dropped_samples > 0],
    ["Outages", formatInteger(status.outages), status.outages > 0],
    ["Lag", status.lag_ms === null ? null : `${Math.round(status.lag_ms)} ms`, status.lag_ms > MAX_LAG_MS],
    ["History", formatHistory(status),
      ["failing", "read_only"].includes(status.history) || status.history_lost > 0],
    ["MQTT broker", status.mqtt === null ? null : MQTT_STATES[status.mqtt], status.mqtt === "failing"],
    ["CPU", `${status.cpu_percent.toFixed(1)} %`, false],
    ["Memory", `${Math.round(status.memory_mb)} MB`, false],
    ["Temperature", status.temperature_c === null ? null : `${status.temperature_c.toFixed(1)} °C`,
      status.temperature_c >= MAX_TEMPERATURE_C],
    ["Uptime", formatDuration(status.uptime_s), false],
  ];
}

export class HealthView {
  #rows = new Map(); // name -> [row, value]

  constructor(list) {
    this.list = list;
  }

  /** Draw a status. `rate` is the source's sampling rate in Hz, or undefined. */
  draw(status, rate) {
    for (const [name, value, isAlarm] of healthRows(status, rate)) {
      const [row, text] = this.#rows.get(name) ?? this.#addRow(name);
      row.hidden = value === null;
      row.classList.toggle("alarm", isAlarm);
      setText(text, value ?? "");
    }
  }

  #addRow(name) {
    const row = createElement("div");
    const text = createElement("dd");
    row.append(createElement("dt", "", name), text);
    this.list.append(row);
    this.#rows.set(name, [row, text]);
    return [row, text];
  }
}
