// The page's state, and the views that draw it.

import { DayView } from "./day.js";
import { setText } from "./dom.js";
import { StationEvents, clock, fetchJson } from "./event_source.js";
import { formatFrequency, formatSigned } from "./format.js";
import { genreStyle } from "./genres.js";
import { HealthView } from "./health.js";
import { SpectrogramView } from "./spectrogram.js";
import { TIMELINE_S, TimelineView } from "./timeline.js";
import { VerdictView } from "./verdict.js";

const DAY_INTERVAL_MS = 60000; // between requests of api/v1/day
const RETRY_MS = 5000;
const MAX_VERDICTS = 1000;
const CONNECTION_ERRORS = {
  disconnected: "Connection lost, reconnecting. This page is out of date.",
  busy: "The station has no free connection for this page. Trying again.",
  unauthorized: "The station requires a token. Open this page once as /?token=TOKEN.",
};

const $ = (id) => document.getElementById(id);

const spectrogramView = new SpectrogramView($("spectrogram"), $("frequency-axis"), $("time-axis"), $("colour-scale"));
const verdictView = new VerdictView({
  swatch: $("swatch"),
  genre: $("genre"),
  confidence: $("confidence"),
  bars: $("bars"),
  audioRange: $("audio-range"),
  shares: $("shares"),
  announcement: $("announcement"),
});
const timelineView = new TimelineView({
  track: $("timeline"),
  axis: $("timeline-axis"),
  changes: $("changes"),
  count: $("count"),
});
const dayView = new DayView({
  chart: $("chart"),
  axis: $("chart-axis"),
  maximum: $("chart-maximum"),
  legend: $("legend"),
  table: $("table"),
});
const healthView = new HealthView($("health-list"));

let status = null;
let verdicts = []; // in order of arrival; their times may be out of order if the station's clock was set
let day = null;
let drawnDay = null;
let connectionError = null; // a key of CONNECTION_ERRORS
let isConnected = false;
let isPaused = false;
let isDrawScheduled = false;
let retryTimer = 0;
let nRequests = 0;

function latestVerdict() {
  return verdicts.at(-1) ?? status?.verdict ?? null;
}

/** Store verdicts in the given order. Of duplicates, only the last one is stored; old verdicts are discarded. */
function storeVerdicts(...all) {
  const start = clock.now() - TIMELINE_S;
  const byTime = new Map();
  for (const verdict of all) {
    byTime.delete(verdict.time); // a Map keeps the position of an existing key
    byTime.set(verdict.time, verdict);
  }
  verdicts = [...byTime.values()].filter((verdict) => verdict.time > start).slice(-MAX_VERDICTS);
}

/** Draw in the next animation frame. While the page is paused, only the connection state is drawn. */
function scheduleDraw() {
  if (isDrawScheduled) return;
  isDrawScheduled = true;
  requestAnimationFrame(() => {
    isDrawScheduled = false;
    drawState();
    if (!isPaused) drawViews();
  });
}

function drawViews() {
  if (!status) return; // its labels determine the colours
  const { source, labels, model } = status;
  const verdict = latestVerdict();
  setText($("source"), source);
  setText($("model"), `Model ${model.name} ${model.version}, ${model.sha256.slice(0, 12)}`);
  verdictView.labels = labels;
  healthView.draw(status, verdict?.input.rate);
  if (verdict) {
    verdictView.draw(verdict);
    spectrogramView.rate = verdict.input.resampled_to;
  }
  const now = Math.max(clock.now(), verdict?.time ?? 0);
  const past = verdicts.filter(({ time }) => time <= now).sort((a, b) => a.time - b.time);
  timelineView.draw(past, now);
  if (day !== drawnDay) dayView.draw(day, allLabels(), clock.now());
  drawnDay = day;
}

/** Return the model's labels, and those of models that ran earlier in the day. */
function allLabels() {
  return [...new Set([...status.labels, ...day.bins.flatMap((bin) => Object.keys(bin.genres))])];
}

/** Return the connection state for CSS, and as text. */
function connectionState() {
  if (connectionError) return ["disconnected", "Not connected"];
  if (isPaused) return ["paused", "Paused"];
  if (!isConnected || !status) return ["connecting", "Connecting"];
  if (status.paused) return ["station-paused", "Station paused"];
  return status.listening ? ["live", "Live"] : ["no-audio", "No audio"];
}

function drawState() {
  const [state, text] = connectionState();
  $("state").dataset.state = state;
  setText($("state"), text);
  document.body.classList.toggle("stale", ["disconnected", "no-audio", "station-paused"].includes(state));
  const message = connectionError ? CONNECTION_ERRORS[connectionError] : "";
  setText($("banner"), message);
  $("banner").hidden = !message;
}

function drawLoudest() {
  if (isPaused) return;
  const loudest = spectrogramView.takeLoudest();
  if (loudest === null) return;
  const { db, hz } = loudest;
  const level = db < 0 ? `${formatSigned(db)} dB` : "0 dB or more";
  setText($("loudest"), db <= -80 ? "Nothing above −80 dB" : `Loudest: ${level} near ${formatFrequency(hz)}`);
}

async function fetchAll() {
  try {
    const number = ++nRequests;
    const before = verdicts;
    setStatus(await fetchJson("api/v1/status"));
    const since = Math.floor(clock.now() - TIMELINE_S);
    const [history, bins] = await Promise.all([
      fetchJson(`api/v1/history?since=${since}&limit=${MAX_VERDICTS}`),
      fetchJson("api/v1/day"),
    ]);
    if (number !== nRequests) return; // a later request replaces this one
    const arrivedSince = verdicts.filter((verdict) => !before.includes(verdict));
    storeVerdicts(...before, ...history.verdicts, ...arrivedSince);
    day = bins;
  } catch {
    clearTimeout(retryTimer); // while the event stream is disconnected, its next `open` fetches again
    retryTimer = setTimeout(() => connectionError || fetchAll(), RETRY_MS);
  }
  scheduleDraw();
}

async function fetchDay() {
  if (document.hidden || connectionError) return;
  day = await fetchJson("api/v1/day").catch(() => day);
  scheduleDraw();
}

function setStatus(newStatus) {
  if (status && newStatus.started !== status.started) spectrogramView.restart();
  status = newStatus;
  status.labels.forEach(genreStyle); // assigns the colours in the model's order
  drawLoudest();
  scheduleDraw();
}

function togglePause() {
  isPaused = !isPaused;
  spectrogramView.paused = isPaused;
  $("pause").textContent = isPaused ? "Resume" : "Pause";
  scheduleDraw();
}

new StationEvents({
  open() {
    isConnected = true;
    connectionError = null;
    fetchAll();
  },
  error(reason) {
    connectionError = reason;
    scheduleDraw();
  },
  verdict(verdict) {
    clock.correct(verdict.time);
    storeVerdicts(...verdicts, verdict);
    if (day && day.bins.length === 0) fetchDay(); // the first verdict of the day
    scheduleDraw();
  },
  frames: (frames) => spectrogramView.push(frames),
  status: setStatus,
});

$("pause").addEventListener("click", togglePause);
setInterval(fetchDay, DAY_INTERVAL_MS);
document.addEventListener("visibilitychange", fetchDay);
new ResizeObserver(scheduleDraw).observe($("timeline"));
