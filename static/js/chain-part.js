/** What the server's report says of the chain that the open market is on. */

/** @import { Finality, Health, Market, Part, Trade } from "./types.js" */

/**
 * The chain of the market; while no market says its own, the only or first one there is.
 * @param {Health | null} health
 * @param {number | undefined} chainId
 * @returns {Part | undefined}
 */
export function chainPart(health, chainId) {
  const chains = health?.parts?.filter(({ head }) => head !== undefined) ?? [];
  return chains.find(({ chain_id: id }) => id !== undefined && id === chainId) ?? chains[0];
}

/**
 * @param {Health | null} health
 * @param {Market | undefined} market
 * @returns {Finality | null} null where no reorg can reach the market
 */
export function finalityOf(health, market) {
  const part = health?.parts?.find(({ chain_id: id }) => id && id === market?.chain_id);
  return part?.final === undefined ? null : { block: part.final };
}

/**
 * How old the newest block is, null where none is known.
 * @param {Part | undefined} part
 * @param {number} now_s
 */
export function lagOf(part, now_s) {
  return part?.time === undefined ? null : Math.max(0, now_s - part.time);
}

/** @type {Record<number, string>} */
export const EXPLORERS = {
  1: "https://etherscan.io/tx/",
  10: "https://optimistic.etherscan.io/tx/",
  56: "https://bscscan.com/tx/",
  100: "https://gnosisscan.io/tx/",
  137: "https://polygonscan.com/tx/",
  8453: "https://basescan.org/tx/",
  42161: "https://arbiscan.io/tx/",
  43114: "https://snowtrace.io/tx/",
  59144: "https://lineascan.build/tx/",
  11155111: "https://sepolia.etherscan.io/tx/",
};

/**
 * Where a transaction can be read.
 * @param {Pick<Trade, "transaction_hash" | "chain_id">} trade
 * @param {Market | undefined} market
 * @param {string} template the operator's own, with `{hash}`; "" for those that are known here
 */
export function transactionAddress({ transaction_hash: hash, chain_id: own }, market, template) {
  if (!hash || !/^0x[0-9a-f]{64}$/i.test(hash)) return null;
  if (template) return template.replace("{hash}", hash);
  const chainId = own ?? market?.chain_id;
  const explorer = chainId === undefined ? undefined : EXPLORERS[chainId];
  return explorer ? explorer + hash : null;
}
