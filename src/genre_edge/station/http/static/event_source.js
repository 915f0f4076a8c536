// The station's API: JSON requests, and a stream of server-sent events that reconnects after any failure.

const TIMEOUT_MS = 10000; // a status event arrives every 2 s, so a stream without events for this time is broken
const MAX_CLOCK_ERROR_S = 60; // verdicts arrive without delay, so a larger difference means that a clock was changed
const RETRY_MS = 5000; // EventSource reconnects by itself after a lost connection, but not after an error response

/** The station's clock in unix seconds. It may differ from the browser's. */
export const clock = {
  offset: 0, // seconds that the station's clock is ahead
  now() {
    return Date.now() / 1000 + this.offset;
  },
  /** Correct the offset by the time of an event that has just happened. */
  correct(time) {
    if (Math.abs(time - this.now()) > MAX_CLOCK_ERROR_S) this.offset = time - Date.now() / 1000;
  },
};

/** A response with an error status. */
class StatusError extends Error {
  constructor(status) {
    super(`HTTP status ${status}`);
    this.status = status;
  }
}

/** Return the JSON at `path`. Throws StatusError, or the errors of fetch. */
export async function fetchJson(path) {
  const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) throw new StatusError(response.status);
  const date = Date.parse(response.headers.get("Date"));
  if (date) clock.offset = (date + 500 - Date.now()) / 1000; // the header has whole seconds
  return response.json();
}

/**
 * The event stream. Calls `handlers.open()` at each connection, `handlers.error(reason)` without one ("disconnected",
 * "unauthorized" or "busy"), and `handlers.verdict`, `handlers.frames`, `handlers.status` with the data of each event.
 */
export class StationEvents {
  #handlers;
  #source = null;
  #timer = 0;

  constructor(handlers) {
    this.#handlers = handlers;
    this.#connect();
  }

  #connect() {
    this.#source?.close();
    const source = new EventSource("api/v1/events");
    this.#source = source;
    this.#restartTimeout();
    source.onopen = () => {
      this.#restartTimeout();
      this.#handlers.open();
    };
    source.onerror = () => this.#onError(source);
    for (const name of ["verdict", "frames", "status"]) {
      source.addEventListener(name, (event) => {
        this.#restartTimeout();
        this.#handlers[name](JSON.parse(event.data));
      });
    }
  }

  #setTimer(delay, callback) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(callback, delay);
  }

  #restartTimeout() {
    this.#setTimer(TIMEOUT_MS, () => {
      this.#handlers.error("disconnected");
      this.#connect();
    });
  }

  async #onError(source) {
    if (source.readyState !== EventSource.CLOSED) {
      this.#handlers.error("disconnected");
      return;
    }
    this.#setTimer(RETRY_MS, () => this.#connect());
    this.#handlers.error(await findReason());
  }
}

/** Find out why the stream was refused, as EventSource does not report the status code. */
async function findReason() {
  try {
    await fetchJson("api/v1/status");
    return "busy"; // other requests succeed, so the limit of streams is reached
  } catch (error) {
    return error.status === 401 || error.status === 403 ? "unauthorized" : "disconnected";
  }
}
