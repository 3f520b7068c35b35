/** The polite live region: at most one sentence a second, and of several the last. */

const PAUSE_MS = 1000;

/** @param {HTMLElement} node */
export function createAnnouncer(node) {
  let waiting = "";
  let isPausing = false;

  const speak = () => {
    isPausing = waiting !== "";
    if (!isPausing) return;
    node.textContent = waiting;
    waiting = "";
    setTimeout(speak, PAUSE_MS);
  };

  return (/** @type {string} */ sentence) => {
    waiting = sentence;
    if (!isPausing) speak();
  };
}
