// The page of a station: what comes from feed.js is kept here and shown by one view a section.

import { Day } from "./day.js";
import { write } from "./dom.js";
import { Feed, ask, clock } from "./feed.js";
import { look } from "./genres.js";
import { Health } from "./health.js";
import { Spectrogram } from "./spectrogram.js";
import { KEPT_S, Timeline } from "./timeline.js";
import { VerdictView } from "./verdict.js";
import { pitch, signed } from "./words.js";

const DAY_MS = 60000; // from one look at the day to the next
const AGAIN_MS = 5000;
const MOST = 1000; // verdicts kept, and asked for
const LOST = {
  lost: "Connection lost, trying again. What you see is from before.",
  busy: "The station serves as many pages as it can. Trying again.",
  token: "The station wants a token: open this page once as /?token=…",
};

const $ = (id) => document.getElementById(id);
const places = (...ids) => Object.fromEntries(ids.map((id) => [id, $(id)]));

const spectrogram = new Spectrogram($("spectrogram"), $("hertz"), $("seconds"), $("scale"));
const verdictView = new VerdictView(places("swatch", "genre", "sure", "bars", "heard", "spoken"));
const timeline = new Timeline({ track: $("timeline"), ...places("clock", "changes", "count") });
const dayView = new Day(places("chart", "hours", "most", "legend", "table"));
const health = new Health($("facts"));

let status = null;
let verdicts = []; // as they came, the newest last; clocks that are set may say otherwise
let day = null;
let shownDay = null;
let trouble = null; // why there is no connection
let connected = false;
let paused = false;
let planned = false;
let again = 0;
let asked = 0;

function latest() {
  return verdicts.at(-1) ?? status?.verdict ?? null;
}

/** Keep verdicts, those that came first first; of one that is there twice the last counts. The old ones are forgotten. */
function keep(...all) {
  const since = clock.now() - KEPT_S;
  const known = new Map();
  for (const verdict of all) {
    known.delete(verdict.time); // or it would keep its old place
    known.set(verdict.time, verdict);
  }
  verdicts = [...known.values()].filter((verdict) => verdict.time > since).slice(-MOST);
}

/** Show what is known with the next picture, unless the page is paused. */
function show() {
  if (planned) return;
  planned = true;
  requestAnimationFrame(() => {
    planned = false;
    showState();
    if (!paused) showAll();
  });
}

function showAll() {
  if (!status) return; // its labels give the colours
  const { source, labels, model } = status;
  const verdict = latest();
  write($("source"), source);
  write($("model"), `Model ${model.name} ${model.version}, ${model.sha256.slice(0, 12)}`);
  verdictView.labels = labels;
  health.draw(status, verdict?.input.rate);
  if (verdict) {
    verdictView.draw(verdict);
    spectrogram.rate = verdict.input.resampled_to;
  }
  const now = Math.max(clock.now(), verdict?.time ?? 0);
  const past = verdicts.filter(({ time }) => time <= now).sort((a, b) => a.time - b.time);
  timeline.draw(past, now);
  if (day !== shownDay) dayView.draw(day, allLabels(), clock.now());
  shownDay = day;
}

/** The model's labels, and those of a model that listened earlier today. */
function allLabels() {
  return [...new Set([...status.labels, ...day.bins.flatMap((bin) => Object.keys(bin.genres))])];
}

function stateOf() {
  if (trouble) return ["lost", "Not connected"];
  if (paused) return ["paused", "Paused"];
  if (!connected || !status) return ["waiting", "Connecting"];
  return status.listening ? ["live", "Listening"] : ["deaf", "No sound arrives"];
}

function showState() {
  const [state, words] = stateOf();
  $("state").dataset.state = state;
  write($("state"), words);
  document.body.classList.toggle("stale", trouble !== null || state === "deaf");
  const banner = trouble ? LOST[trouble] : "";
  write($("banner"), banner);
  $("banner").hidden = !banner;
}

function showLoudest() {
  if (paused) return;
  const loudest = spectrogram.loudest();
  if (loudest === null) return;
  const { db, hz } = loudest;
  const level = db < 0 ? `${signed(db)} dB` : "0 dB or more";
  write($("loudest"), db <= -80 ? "Nothing above −80 dB" : `Loudest: ${level} near ${pitch(hz)}`);
}

async function fetchAll() {
  try {
    const mine = ++asked;
    const before = verdicts;
    took(await ask("api/v1/status"));
    const since = Math.floor(clock.now() - KEPT_S);
    const [history, bins] = await Promise.all([
      ask(`api/v1/history?since=${since}&limit=${MOST}`),
      ask("api/v1/day"),
    ]);
    if (mine !== asked) return; // asked again since: that answer is newer
    const meanwhile = verdicts.filter((verdict) => !before.includes(verdict));
    keep(...before, ...history.verdicts, ...meanwhile);
    day = bins;
  } catch {
    clearTimeout(again); // where the line is dead, the stream of events knows
    again = setTimeout(() => trouble || fetchAll(), AGAIN_MS);
  }
  show();
}

async function fetchDay() {
  if (document.hidden || trouble) return;
  day = await ask("api/v1/day").catch(() => day);
  show();
}

function took(news) {
  if (status && news.started !== status.started) spectrogram.restart();
  status = news;
  news.labels.forEach(look); // in this order: it gives the colours
  showLoudest();
  show();
}

function pause() {
  paused = !paused;
  spectrogram.paused = paused;
  $("pause").textContent = paused ? "Resume" : "Pause";
  show();
}

new Feed({
  open() {
    connected = true;
    trouble = null;
    fetchAll();
  },
  lost(why) {
    trouble = why;
    show();
  },
  verdict(verdict) {
    clock.heard(verdict.time);
    keep(...verdicts, verdict);
    if (day && day.bins.length === 0) fetchDay(); // the first one of the day
    show();
  },
  frames: (frames) => spectrogram.push(frames),
  status: took,
});

$("pause").addEventListener("click", pause);
setInterval(fetchDay, DAY_MS);
document.addEventListener("visibilitychange", fetchDay);
new ResizeObserver(show).observe($("timeline"));
