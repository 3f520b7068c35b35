// What the page puts on `window` for tests and for the curious.
interface Window {
  __chart: import("./dashboard.js").Inspection;
}
