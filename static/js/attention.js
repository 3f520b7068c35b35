/** Lets a stream follow its page: who looks again, or is online again, waits for nothing. */

import { scheduleTimeout } from "./backoff.js";

/** @import { Stream } from "./stream.js" */

/**
 * @param {Pick<Stream, "start" | "stop" | "retryNow">} stream
 * @param {object} [options]
 * @param {number} [options.restAfterMs] out of sight for so long, the socket is given back
 * @param {Document} [options.page]
 * @param {typeof scheduleTimeout} [options.schedule]
 * @returns {() => void} ends it
 */
export function attend(stream, options = {}) {
  const { restAfterMs = Infinity, page = document, schedule = scheduleTimeout } = options;
  let cancelRest = () => {};
  const look = () => {
    cancelRest();
    if (!page.hidden) {
      stream.start();
      stream.retryNow();
    } else if (restAfterMs < Infinity) cancelRest = schedule(() => stream.stop(), restAfterMs);
  };
  const retry = () => stream.retryNow();
  page.addEventListener("visibilitychange", look);
  page.defaultView?.addEventListener("online", retry);
  return () => {
    cancelRest();
    page.removeEventListener("visibilitychange", look);
    page.defaultView?.removeEventListener("online", retry);
  };
}
