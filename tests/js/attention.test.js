import assert from "node:assert/strict";
import { test } from "node:test";
import { attend } from "../../static/js/attention.js";

/** A page that can be hidden, a stream that notes what it is told, and a timer in our hands. */
function bench(restAfterMs = Number.POSITIVE_INFINITY) {
  const window = new EventTarget();
  const page = Object.assign(new EventTarget(), { hidden: false, defaultView: window });
  /** @type {string[]} */
  const told = [];
  /** @type {{ms: number, work: () => void} | null} */
  let timer = null;
  const end = attend(
    {
      start: () => told.push("start"),
      stop: () => told.push("stop"),
      retryNow: () => told.push("retry"),
    },
    {
      restAfterMs,
      page: /** @type {any} */ (page),
      schedule: (work, ms) => {
        timer = { work, ms };
        return () => {
          timer = null;
        };
      },
    },
  );
  /** @param {boolean} hidden */
  const hide = (hidden) => {
    page.hidden = hidden;
    page.dispatchEvent(new Event("visibilitychange"));
  };
  const online = () => window.dispatchEvent(new Event("online"));
  return { told, hide, online, end, timer: () => timer };
}

test("who looks again, or is online again, waits for nothing", () => {
  const { told, hide, online, timer } = bench();
  hide(true);
  assert.deepEqual([told, timer()], [[], null]);
  hide(false);
  online();
  assert.deepEqual(told, ["start", "retry", "retry"]);
});

test("out of sight for long, the socket is given back until somebody looks", () => {
  const { told, hide, timer } = bench(300_000);
  hide(true);
  assert.equal(timer()?.ms, 300_000);
  hide(false);
  assert.equal(timer(), null);
  hide(true);
  timer()?.work();
  hide(false);
  assert.deepEqual(told, ["start", "retry", "stop", "start", "retry"]);
});

test("once it has ended, the page is nothing to it", () => {
  const { told, hide, online, end, timer } = bench(300_000);
  hide(true);
  end();
  hide(false);
  online();
  assert.deepEqual([told, timer()], [[], null]);
});
