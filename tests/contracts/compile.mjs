// Compile *.sol of this folder into *.json, one file per contract: ABI, bytecode, selectors.
// Needed only after a change of a source; the compiler is no dependency of the repository:
//
//   npm install --prefix /tmp/solc --no-save solc@0.8.30
//   NODE_PATH=/tmp/solc/node_modules node tests/contracts/compile.mjs

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const folder = new URL(".", import.meta.url);
const solc = createRequire(`${process.env.NODE_PATH}/`)("solc");

const names = readdirSync(folder).filter((name) => name.endsWith(".sol")).sort();
const sources = Object.fromEntries(
  names.map((name) => [name, { content: readFileSync(new URL(name, folder), "utf8") }]),
);
const digest = createHash("sha256"); // by which a test knows that nobody forgot to compile
for (const { content } of Object.values(sources)) digest.update(content);
const sourcesSha256 = digest.digest("hex");

const selected = ["abi", "evm.bytecode.object", "evm.methodIdentifiers"];
const settings = {
  optimizer: { enabled: true, runs: 10_000 },
  viaIR: true,
  evmVersion: "paris", // runs on every chain since 2022
  metadata: { bytecodeHash: "none" }, // the same bytes whatever the comments say
  outputSelection: { "*": { "*": selected } },
};
const input = { language: "Solidity", sources, settings };
const { contracts = {}, errors = [] } = JSON.parse(solc.compile(JSON.stringify(input)));
for (const error of errors) process.stderr.write(`${error.formattedMessage}\n`);
if (errors.length > 0) process.exit(1);

for (const [source, found] of Object.entries(contracts)) {
  for (const [name, { abi, evm }] of Object.entries(found)) {
    if (!evm.bytecode.object) continue; // an interface
    const compiled = {
      source,
      compiler: solc.version(),
      sourcesSha256,
      abi,
      selectors: evm.methodIdentifiers,
      bytecode: `0x${evm.bytecode.object}`,
    };
    writeFileSync(new URL(`${name}.json`, folder), `${JSON.stringify(compiled, null, 1)}\n`);
  }
}
