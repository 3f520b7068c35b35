/** What the reader chose for the chart, remembered by the browser. Theme and folds: see theme.js. */

/** @import { SettingsValue } from "./types.js" */

const KEY = "chart";

/** @type {Readonly<SettingsValue>} */
const PLAIN = {
  type: "candles",
  scale: "normal",
  studies: [{ kind: "ema", values: [50] }],
  events: ["liquidation", "large_trade"],
  zone: "UTC",
};

export class Settings {
  /** @type {SettingsValue} */
  value = { ...PLAIN, ...stored() };

  /** Whether the first picture needs nothing but candles. */
  get isPlain() {
    const { type, studies } = this.value;
    return type === PLAIN.type && JSON.stringify(studies) === JSON.stringify(PLAIN.studies);
  }

  /** @param {Partial<SettingsValue>} change */
  set(change) {
    this.value = { ...this.value, ...change };
    remember(KEY, JSON.stringify(this.value));
  }
}

/** What was kept, as far as it has the form it should have: storage outlives versions. */
function stored() {
  const value = parsed(recall(KEY));
  const fits = Object.entries(value).filter(([name, entry]) => {
    const plain = /** @type {Record<string, unknown>} */ (PLAIN)[name];
    return typeof entry === typeof plain && Array.isArray(entry) === Array.isArray(plain);
  });
  return Object.fromEntries(fits);
}

/** @param {string | null} text */
function parsed(text) {
  try {
    return Object(JSON.parse(text ?? "{}"));
  } catch {
    return {};
  }
}

/** @param {string} key */
export function recall(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/**
 * A browser may refuse storage; the choice then holds until the page is left.
 * @param {string} key
 * @param {string | null} value null forgets
 */
export function remember(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // Nothing to do: the choice is applied, only not kept.
  }
}
