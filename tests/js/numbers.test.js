import assert from "node:assert/strict";
import { test } from "node:test";
import {
  formatChange,
  formatCompact,
  formatCount,
  formatFullPrice,
  formatPercent,
  formatPrice,
  formatSize,
  guessDecimals,
  priceParts,
} from "../../static/js/numbers.js";

/**
 * @param {string} name
 * @param {(...input: any[]) => unknown} work
 * @param {[any[], unknown][]} rows
 */
function table(name, work, rows) {
  for (const [input, expected] of rows) {
    test(`${name} ${JSON.stringify(input)} is ${expected}`, () => {
      assert.equal(work(...input), expected);
    });
  }
}

table("formatPrice", formatPrice, [
  [[2431.18, 2], "2,431.18"],
  [[98412.5, 1], "98,412.5"],
  [[1234567.891, 2], "1,234,567.89"],
  [[0, 2], "0.00"],
  [[-0.001, 2], "−0.001000"],
  [[-31.284, 3], "−31.284"],
  [[0.42471, 5], "0.42471"],
  [[0.0001234, 7], "0.0001234"],
  [[0.00002084, 8], "0.0₄2084"],
  [[0.0000208, 8], "0.0₄2080"],
  [[0.000004812, 9], "0.0₅4812"],
  [[0.000000123, 9], "0.0₆123"],
  [[1.5e-12, 14], "0.0₁₁150"],
  [[-0.00002084, 8], "−0.0₄2084"],
  [[1e-9, 2], "0.0₈1000"],
  [[1.00002084, 8], "1.00002084"],
  [[9.999e-5, 8], "0.0₄9999"],
  [[97979.9, 18], "97,979.9000000000"],
]);

test("priceParts keeps the folded zeros apart for a <sub>", () => {
  assert.deepEqual(priceParts(0.00002084, 8), { lead: "0.0", zeros: "4", rest: "2084" });
  assert.deepEqual(priceParts(2431.18, 2), { lead: "2,431.18", zeros: "", rest: "" });
});

table("formatFullPrice", formatFullPrice, [
  [[0.00002084, 8], "0.00002084"],
  [[2431.18, 2], "2,431.18"],
]);

table("formatChange", formatChange, [
  [[1.43, 2], "+1.43"],
  [[-1.43, 2], "−1.43"],
  [[0, 2], "0.00"],
]);

table("formatPercent", formatPercent, [
  [[0.49], "+0.49\u2009%"],
  [[-0.05], "−0.05\u2009%"],
  [[0], "0.00\u2009%"],
  [[0.001], "0.00\u2009%"],
  [[-0.001], "0.00\u2009%"],
  [[0.0041, 4], "+0.0041\u2009%"],
  [[1234.5], "+1,234.50\u2009%"],
]);

table("formatCompact", formatCompact, [
  [[48_200_000], "48.2\u2009M"],
  [[1200], "1.2\u2009k"],
  [[999], "999.0"],
  [[999_960], "1.0\u2009M"],
  [[3.2e9], "3.2\u2009B"],
  [[7.1e12], "7.1\u2009T"],
  [[11.23], "11.2"],
  [[0], "0.0"],
  [[0.0512], "0.0512"],
  [[-2_000_000], "−2.0\u2009M"],
]);

table("formatCount", formatCount, [
  [[86_412], "86,412"],
  [[999_999], "999,999"],
  [[10_400_000], "10.4\u2009M"],
  [[0], "0"],
]);

table("formatSize", formatSize, [
  [[7.6289], "7.6289"],
  [[74.9], "74.90"],
  [[0.0494], "0.0494"],
  [[0.00001], "0.0₄1000"],
  [[1_203_334], "1.2\u2009M"],
  [[0], "0.0000"],
]);

table("guessDecimals", guessDecimals, [
  [[2431.18], 2],
  [[1.0418], 4],
  [[0.00002084], 9],
  [[1e6], 2],
  [[0], 2],
  [[undefined], 2],
  [[1e-30], 18],
]);
