import assert from "node:assert/strict";
import { test } from "node:test";
import { backoffDelay } from "../../static/js/backoff.js";

test("delays double from half a second and stop at twenty", () => {
  const longest = [0, 1, 2, 3, 4, 5, 6, 7, 1000].map((attempt) => backoffDelay(attempt, () => 1));
  assert.deepEqual(longest, [500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000, 20_000]);
});

test("chance takes at most half of a delay away", () => {
  for (let attempt = 0; attempt < 20; attempt++) {
    assert.equal(
      backoffDelay(attempt, () => 0),
      backoffDelay(attempt, () => 1) / 2,
    );
    const delay = backoffDelay(attempt);
    assert.ok(delay >= 250 && delay <= 20_000, `attempt ${attempt} waits ${delay} ms`);
  }
});
