/** The strip: whether candles equal their trades, and how busy the server is. */

import { byId, setText, svg } from "./element.js";
import { formatCount, formatFixed } from "./numbers.js";
import { formatMoment } from "./times.js";

/** @import { Health, Verified } from "./types.js" */

const BARS = 12;
const BAR_STEP = 4;
const BAR_HEIGHT = 12;

export class Strip {
  /** @type {number[]} */
  #rates = [];

  /** @param {Health} health */
  show({ trades_per_second: rate, readers, trades_stored: stored, verify }) {
    if (rate !== undefined) {
      setText(byId("fact-rate"), rate < 100 ? formatFixed(rate, 1) : formatCount(rate));
      this.#rates = [...this.#rates, rate].slice(-BARS);
      this.#drawRates();
    }
    if (readers !== undefined) setText(byId("fact-readers"), formatCount(readers));
    if (stored !== undefined) setText(byId("fact-stored"), `${formatCount(stored)} trades`);
    if (verify) showBadge(verify);
  }

  #drawRates() {
    const most = Math.max(...this.#rates, 1e-9);
    const empty = BARS - this.#rates.length;
    byId("rate-bars").replaceChildren(
      ...Array.from({ length: BARS }, (_, index) => {
        const height = Math.max(1, ((this.#rates[index - empty] ?? 0) / most) * BAR_HEIGHT);
        const y = BAR_HEIGHT - height;
        return svg("rect", { x: index * BAR_STEP, y, width: 2, height });
      }),
    );
  }
}

/** The page holds a badge for each outcome, and shows the one that fits. @param {Verified} verify */
function showBadge({ at, equal, differences }) {
  const badge = byId("badge");
  badge.dataset.verified = `${equal}`;
  badge.title = `Checked ${formatMoment(at, Date.now() / 1000)}`;
  setText(byId("badge-count"), formatCount(differences));
}
