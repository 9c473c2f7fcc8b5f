/**
 * The lecture that this tab belongs to. It survives a change of the page and a reload, but is not
 * shared with other tabs.
 *
 * `key` is the presenter's; null: a viewer. `following` is false while a viewer looks around.
 * `target` is the view that the next page is opened for; any other page was chosen by the user.
 *
 * @typedef {{id: string, key: string | null, following: boolean, target: string | null}} Session
 */

import { readStored } from "../state/stored.js";

const SESSION = "hurrah-lecture";
const STARTED = "hurrah-lecture-started";
const ID = /^[a-z0-9]{1,20}$/;
const KEY = /^#present=([\w-]{1,200})$/;

/**
 * Join the lecture that the address names, and take it out of the address: the key must not be in
 * the history or in a screenshot.
 *
 * @returns {boolean} whether there is one.
 */
export function takeFromAddress() {
  const url = new URL(location.href);
  const id = url.searchParams.get("lecture");
  if (id === null) return false;
  url.searchParams.delete("lecture");
  const [, key = null] = KEY.exec(url.hash) ?? [];
  if (key) url.hash = "";
  history.replaceState(null, "", url.pathname + url.search + url.hash);
  if (!ID.test(id)) return false;
  const before = readSession();
  const known = before?.id === id ? before.key : null;
  writeSession({ id, key: key ?? known, following: true, target: null });
  if (key) rememberStarted({ id, key });
  return true;
}

/** @returns {Session | null} */
export const readSession = () => readStored(sessionStorage, SESSION);

/** @param {Session | null} session */
export function writeSession(session) {
  if (session) sessionStorage.setItem(SESSION, JSON.stringify(session));
  else sessionStorage.removeItem(SESSION);
}

/** The lecture that this browser presented last. @returns {{id: string, key: string} | null} */
export const readStarted = () => readStored(localStorage, STARTED);

/** @param {{id: string, key: string} | null} started */
export function rememberStarted(started) {
  if (started) localStorage.setItem(STARTED, JSON.stringify(started));
  else localStorage.removeItem(STARTED);
}
