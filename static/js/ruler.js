/** The 24 h range as a ruler of 20 divisions; a needle stands where the price is. */

import { svg } from "./element.js";

const DIVISIONS = 20;
const STEP = 4.8;
const FOOT = 13;

/** @param {Element} root an svg */
export function createRuler(root) {
  for (let index = 0; index <= DIVISIONS; index++) root.append(tick(index));
  const needle = svg("path", { class: "ruler-needle", d: "M-3 0h6L.75 5v8h-1.5V5z" });
  root.append(needle);
  return {
    /** @param {number | null} share 0…1, null when unknown */
    point(share) {
      needle.toggleAttribute("hidden", share === null);
      const x = 0.5 + Math.min(1, Math.max(0, share ?? 0)) * DIVISIONS * STEP;
      needle.setAttribute("transform", `translate(${x.toFixed(1)} 0)`);
    },
  };
}

/** @param {number} index */
function tick(index) {
  const x = 0.5 + index * STEP;
  const isLong = index % 10 === 0;
  const isMiddle = index % 5 === 0;
  const top = FOOT - (isLong ? 7 : isMiddle ? 5 : 4);
  return svg("path", { class: "ruler-tick", d: `M${x} ${top}V${FOOT}` });
}
