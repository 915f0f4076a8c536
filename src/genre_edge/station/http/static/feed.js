// The station's answers: plain fetches, and one stream of events that is opened again whatever happens to it.

const DEAD_MS = 10000; // a status comes every 2 s: a line without any event for so long is dead, whatever TCP thinks
const CHANGED_S = 60; // a verdict is told within moments; one from another minute shows that the clock was set
const REFUSED_MS = 5000; // EventSource tries again by itself after a broken line, but never after a refusal

/** The station's clock, unix seconds; this machine's may be wrong, or the station's. */
export const clock = {
  ahead: 0,
  now() {
    return Date.now() / 1000 + this.ahead;
  },
  /** It was set anew if what happened just now happened long ago, or will. */
  heard(time) {
    if (Math.abs(time - this.now()) > CHANGED_S) this.ahead = time - Date.now() / 1000;
  },
};

/** An answer that is not 200. */
class Refusal extends Error {
  constructor(code) {
    super(`refused with ${code}`);
    this.code = code;
  }
}

/** The JSON at `path`. Throws a Refusal, or whatever fetch throws. */
export async function ask(path) {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(DEAD_MS) });
  if (!answer.ok) throw new Refusal(answer.status);
  const date = Date.parse(answer.headers.get("Date"));
  if (date) clock.ahead = (date + 500 - Date.now()) / 1000; // the header's seconds are whole
  return answer.json();
}

/**
 * Calls `on.open()` at each (re)connection, `on.lost(why)` when there is none ("lost", "token" or "busy"), and
 * `on.verdict`, `on.frames`, `on.status` with what each event holds.
 */
export class Feed {
  #on;
  #events = null;
  #timer = 0;

  constructor(on) {
    this.#on = on;
    this.#open();
  }

  #open() {
    this.#events?.close();
    const events = new EventSource("api/v1/events");
    this.#events = events;
    this.#watch();
    events.onopen = () => {
      this.#watch();
      this.#on.open();
    };
    events.onerror = () => this.#failed(events);
    for (const name of ["verdict", "frames", "status"]) {
      events.addEventListener(name, (event) => {
        this.#watch();
        this.#on[name](JSON.parse(event.data));
      });
    }
  }

  #again(wait, act) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(act, wait);
  }

  #watch() {
    this.#again(DEAD_MS, () => {
      this.#on.lost("lost");
      this.#open();
    });
  }

  async #failed(events) {
    if (events.readyState !== EventSource.CLOSED) {
      this.#on.lost("lost");
      return;
    }
    this.#again(REFUSED_MS, () => this.#open());
    this.#on.lost(await why());
  }
}

async function why() {
  try {
    await ask("api/v1/status");
    return "busy"; // it answers, but gives no more streams
  } catch (error) {
    return error.code === 401 || error.code === 403 ? "token" : "lost";
  }
}
