/**
 * For pages without modules: `<script src="https://…/sdk/datafeed.global.js">` and then
 * `new Appliance.Datafeed()`. A script cannot wait for a module, but every method of a datafeed
 * answers later anyway: calls are passed on, in order, once datafeed.js is there.
 */
{
  const own = /** @type {HTMLScriptElement} */ (document.currentScript).src;
  const loading = import(new URL("datafeed.js", own).href);
  const METHODS = [
    "onReady",
    "searchSymbols",
    "resolveSymbol",
    "getBars",
    "subscribeBars",
    "unsubscribeBars",
    "getMarks",
    "getTimescaleMarks",
    "getServerTime",
    "getQuotes",
    "subscribeQuotes",
    "unsubscribeQuotes",
    "close",
  ];

  class Datafeed {
    #made;

    /** @param {import("./types/datafeed.js").DatafeedOptions} [options] */
    constructor(options) {
      this.#made = loading.then((module) => new module.Datafeed(options));
    }

    /** @param {() => void} listener */
    onReset(listener) {
      const ending = this.#made.then((made) => made.onReset(listener));
      return () => void ending.then((end) => end());
    }

    static {
      const prototype = /** @type {Record<string, unknown>} */ (
        /** @type {unknown} */ (Datafeed.prototype)
      );
      for (const name of METHODS) {
        prototype[name] = /** @this {Datafeed} @param {unknown[]} values */ function (...values) {
          void this.#made.then((made) => made[name](...values));
        };
      }
    }
  }

  const page = /** @type {{Appliance?: object}} */ (globalThis);
  page.Appliance = { ...page.Appliance, Datafeed };
}
