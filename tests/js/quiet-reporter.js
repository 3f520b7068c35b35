/** Says nothing while all is well; prints each failure, and exits by node's own rule. */

/** @param {AsyncIterable<{type: string, data: any}>} events */
export default async function* quiet(events) {
  for await (const { type, data } of events) {
    if (type !== "test:fail" || data.details?.error?.failureType === "subtestsFailed") continue;
    const cause = data.details?.error?.cause;
    yield `\n✗ ${data.name} (${data.file}:${data.line})\n${cause?.stack ?? cause ?? ""}\n`;
  }
}
