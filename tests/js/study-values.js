/**
 * Computes indicators for tests/test_studies.py: reads bars and the moments in which they formed
 * from standard input, and writes each indicator's values at the moments that are to be told.
 */

import { readFileSync } from "node:fs";
import { STUDIES } from "../../static/js/studies/catalogue.js";
import { StudyRun } from "../../static/js/studies/run.js";

const { choices, bars, moments } = JSON.parse(readFileSync(0, "utf8"));

/** @param {{kind: string, values: number[]}} choice */
function valuesOf({ kind, values }) {
  const { make } = STUDIES[kind];
  if (!make) throw new Error(`${kind} is not computed`);
  const run = new StudyRun(() => make(values));
  const told = [];
  for (const { count, last, isTold } of moments) {
    // As the chart does: the bar before may have been closed by this one.
    run.update([...bars.slice(0, count - 1), last], Math.max(0, count - 2));
    if (isTold) told.push(run.values.slice());
  }
  return told;
}

process.stdout.write(JSON.stringify(choices.map(valuesOf)));
