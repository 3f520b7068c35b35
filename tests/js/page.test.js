import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

const SCRIPTS = new URL("../../static/js/", import.meta.url);
const TEMPLATES = new URL("../../templates/", import.meta.url);
const GZIP_BUDGET = 42_500;

const scripts = readdirSync(SCRIPTS).filter((name) => name.endsWith(".js"));

/** @param {string} name */
const read = (name) => readFileSync(new URL(name, SCRIPTS), "utf8");

/** Every module that main.js reaches, by following the imports. */
function reachable() {
  const found = new Set(["main.js"]);
  for (const name of found) {
    const code = read(name).replace(/\/\*[\s\S]*?\*\//g, "");
    for (const [, target] of code.matchAll(/from "\.\/([\w-]+\.js)"/g)) found.add(target ?? "");
  }
  return found;
}

test("the page preloads exactly the modules it needs", () => {
  const template = readFileSync(new URL("dashboard.html", TEMPLATES), "utf8");
  const list = /for module in (\[.*?\])/s.exec(template)?.[1] ?? "[]";
  const preloaded = JSON.parse(list).map((/** @type {string} */ name) => `${name}.js`);
  assert.deepEqual(preloaded.sort(), [...reachable()].sort());
});

test("no script is left that nothing uses", () => {
  const standalone = ["early.js"];
  assert.deepEqual(scripts.filter((name) => !reachable().has(name)).sort(), standalone);
});

test("our own code, each file gzipped and comments aside, stays within its budget", () => {
  const bytes = scripts
    .map((name) => read(name).replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, ""))
    .reduce((sum, code) => sum + gzipSync(code, { level: 9 }).length, 0);
  assert.ok(bytes <= GZIP_BUDGET, `${bytes} bytes gzipped, budget ${GZIP_BUDGET}`);
});

test("main.js stays under 30 lines, every other script under 300", () => {
  for (const name of scripts) {
    const lines = read(name).trimEnd().split("\n").length;
    assert.ok(lines < (name === "main.js" ? 30 : 301), `${name} has ${lines} lines`);
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
