/** Where these modules came from, which is also where their data is, unless a page says otherwise. */

/** The appliance's address, up to and including the last slash: `/sdk/…` and `/static/…` hang below it. */
export const HOME = import.meta.url.replace(/(static\/)?sdk\/[^/]*$/, "");

/**
 * The address of a server as pages may write it, in the one form that others are joined to.
 * @param {string | null | undefined} api absolute, or relative to the page; empty means HOME
 * @param {string} [page]
 * @returns {string} with a slash at its end
 */
export function serverAddress(api, page = globalThis.document?.baseURI) {
  if (!api) return HOME;
  if (!/^(https?:\/)?\//.test(api) || !URL.canParse(api, page)) {
    throw new TypeError(`api must be like https://charts.example or /charts, was '${api}'`);
  }
  const address = new URL(api, page);
  const path = address.pathname.replace(/\/*$/, "/");
  return address.origin + path;
}

/** @param {string} server as `serverAddress` gives it */
export function socketAddress(server) {
  return `${server.replace(/^http/, "ws")}ws`;
}
