import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

const SCRIPTS = new URL("../../static/js/", import.meta.url);
const TEMPLATES = new URL("../../templates/", import.meta.url);
/** What a browser fetches before candles are on screen. */
const FIRST_BUDGET = 40_000;
/** What each door opens besides, at most. Nothing is behind a door that is not named here. */
const LATE_BUDGETS = {
  "bar-trades.js": 3_500,
  "chart-types.js": 1_500,
  "chooser.js": 1_200,
  "compare-choice.js": 3_500,
  "events.js": 3_200,
  "help.js": 1_000,
  "integrate.js": 5_000,
  "live.js": 21_000,
  "measure.js": 1_800,
  "picture.js": 2_400,
  "restored.js": 9_000,
  "side-panel.js": 1_000,
  "studies-panel.js": 9_500,
  "studies.js": 7_500,
  "table-view.js": 1_800,
  "zones.js": 500,
};
const LONGEST = 320;

/** @type {string[]} */
const scripts = readdirSync(SCRIPTS, { recursive: true })
  .map(String)
  .filter((name) => name.endsWith(".js"));

/** @param {string} name */
const read = (name) => readFileSync(new URL(name, SCRIPTS), "utf8");

const COMMENT = /^[ \t]*(?:\/\/.*|\/\*(?:(?!\*\/)[\s\S])*\*\/[ \t]*)$/gm;

/** What the server sends, see appliance/web/files.py. @param {string} name */
const codeOf = (name) =>
  read(name).replace(COMMENT, (all) => "\n".repeat(all.split("\n").length - 1));

/**
 * @param {string} name
 * @param {RegExp} pattern whose first group is an address
 */
function targets(name, pattern) {
  // Types are imported within comments, too, and are never fetched.
  return [
    ...codeOf(name)
      .replace(/\/\*[\s\S]*?\*\//g, "")
      .matchAll(pattern),
  ].map(([, target]) => new URL(target ?? "", new URL(name, SCRIPTS)).href);
}

/** @param {string} href */
const nameOf = (href) => href.replace(SCRIPTS.href, "");

/** Every module that one reaches by the imports it cannot run without. @param {string} entry */
function reachable(entry) {
  const found = new Set([entry]);
  for (const name of found) {
    for (const target of targets(name, /(?:from|^import) "(\.[^"]+\.js)"/gm)) {
      if (target.startsWith(SCRIPTS.href)) found.add(nameOf(target));
    }
  }
  return found;
}

/** @param {Iterable<string>} names */
function packed(names) {
  return [...names].reduce((sum, name) => sum + gzipSync(codeOf(name), { level: 6 }).length, 0);
}

const first = reachable("main.js");
/** The entry of a page of its own. */
const framed = reachable("embed.js");
const doors = new Set(
  scripts.flatMap((name) => targets(name, /import\("(\.[^"]+)"\)/g)).map(nameOf),
);

test("the page preloads exactly the modules it needs for its candles", () => {
  const template = readFileSync(new URL("dashboard.html", TEMPLATES), "utf8");
  const list = /for module in (\[.*?\])/s.exec(template)?.[1] ?? "[]";
  const preloaded = JSON.parse(list).map((/** @type {string} */ name) => `${name}.js`);
  assert.deepEqual(preloaded.sort(), [...first].sort());
});

test("no template literal holds a line that the server would take for a comment", () => {
  for (const name of scripts) {
    for (const [literal] of codeOf(name).matchAll(/`(?:[^`\\]|\\[\s\S])*`/g)) {
      assert.doesNotMatch(literal, /^\s*(?:\/\/|\/\*)/m, name);
    }
  }
});

test("no script is left that nothing uses", () => {
  const standalone = ["early.js"];
  const used = new Set([
    ...first,
    ...framed,
    ...[...doors].flatMap((door) => [...reachable(door)]),
  ]);
  assert.deepEqual(scripts.filter((name) => !used.has(name)).sort(), standalone);
});

test("what is loaded before candles are on screen stays within its budget", (t) => {
  const bytes = packed([...first, "early.js"]);
  t.diagnostic(`${bytes} bytes before candles, ${packed(scripts)} in all`);
  assert.ok(bytes <= FIRST_BUDGET, `${bytes} bytes gzipped, budget ${FIRST_BUDGET}`);
  assert.ok(packed(framed) <= FIRST_BUDGET, `${packed(framed)} bytes gzipped for a frame`);
});

test("what is loaded later stays within its budgets", () => {
  assert.deepEqual([...doors].sort(), Object.keys(LATE_BUDGETS).sort());
  const live = reachable("live.js");
  for (const [door, budget] of Object.entries(LATE_BUDGETS)) {
    const known = door === "live.js" ? first : new Set([...first, ...live]);
    const bytes = packed([...reachable(door)].filter((name) => !known.has(name)));
    assert.ok(bytes <= budget, `${door}: ${bytes} bytes gzipped, budget ${budget}`);
  }
});

test("main.js stays under 30 lines, every other script within what one can read", () => {
  for (const name of scripts) {
    const lines = read(name).trimEnd().split("\n").length;
    assert.ok(lines <= (name === "main.js" ? 29 : LONGEST), `${name} has ${lines} lines`);
  }
});

test("no template carries an inline style, handler or script, which the policy would refuse", () => {
  for (const name of readdirSync(TEMPLATES)) {
    const html = readFileSync(new URL(name, TEMPLATES), "utf8");
    assert.doesNotMatch(html, /\sstyle=/, name);
    assert.doesNotMatch(html, /\son\w+=/, name);
    for (const [tag] of html.matchAll(/<script[^>]*>/g)) {
      assert.match(tag, /src="\/static\/|type="application\/json"/, name);
    }
  }
});
