// How the station itself is.

import { element, write } from "./dom.js";
import { duration, signed, whole } from "./words.js";

const SLOW_MS = 1000; // a verdict later than this after its sound is worth a look
const HOT_C = 80; // where a Raspberry Pi begins to slow down

const KEPT = {
  memory: "In memory",
  file: "In a file",
  failing: "The file cannot be used; the newest wait in memory",
};
const BROKER = { connected: "Connected", failing: "Not connected, trying again" };

function dropped(status, rate) {
  const samples = status.dropped_samples;
  return samples && rate ? `${whole(samples)} (${(samples / rate).toFixed(2)} s)` : whole(samples);
}

/** `[name, value or null, whether it needs a look]`; a value of null is not shown. */
function facts(status, rate) {
  return [
    ["Source", status.source, false],
    ["Listening", status.listening ? "Yes" : "No, waiting for the source", !status.listening],
    ["Level", status.level_db === null ? null : `${signed(status.level_db)} dB`, false],
    ["Heard so far", duration(status.position_s), false],
    ["Samples lost", dropped(status, rate), status.dropped_samples > 0],
    ["Outages", whole(status.outages), status.outages > 0],
    ["Lag", status.lag_ms === null ? null : `${Math.round(status.lag_ms)} ms`, status.lag_ms > SLOW_MS],
    ["History", KEPT[status.history], status.history === "failing"],
    ["MQTT broker", status.mqtt === null ? null : BROKER[status.mqtt], status.mqtt === "failing"],
    ["Processor", `${status.cpu_percent.toFixed(1)} %`, false],
    ["Memory", `${Math.round(status.memory_mb)} MB`, false],
    ["Temperature", status.temperature_c === null ? null : `${status.temperature_c.toFixed(1)} °C`,
      status.temperature_c >= HOT_C],
    ["Running for", duration(status.uptime_s), false],
  ];
}

export class Health {
  #rows = new Map(); // name -> [row, value]

  constructor(list) {
    this.list = list;
  }

  /** `rate`: samples a second of the source, or undefined. */
  draw(status, rate) {
    for (const [name, value, alarm] of facts(status, rate)) {
      const [row, text] = this.#rows.get(name) ?? this.#add(name);
      row.hidden = value === null;
      row.classList.toggle("alarm", alarm);
      write(text, value ?? "");
    }
  }

  #add(name) {
    const row = element("div");
    const text = element("dd");
    row.append(element("dt", "", name), text);
    this.list.append(row);
    this.#rows.set(name, [row, text]);
    return [row, text];
  }
}
