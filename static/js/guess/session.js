/**
 * The part of this browser in a game: a player with a random token, or the presenter with the key.
 *
 * The token is the same in all tabs and after a reload. The key belongs to the tab, so that a
 * second tab can play.
 */

import { readStored } from "../state/stored.js";

const PLAYER = "hurrah-game-player";
const KEY = "hurrah-game-key";
const STARTED = "hurrah-game-started";
const TOKEN_BYTES = 16;
const FRAGMENT = /^#present=([\w-]{1,200})$/;

/** The token of this browser. @returns {string} */
export function playerToken() {
  const known = readStored(localStorage, PLAYER);
  if (typeof known === "string" && /^[0-9a-f]{32}$/.test(known)) return known;
  // `crypto.randomUUID` is missing where the page is served without TLS.
  const bytes = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES));
  const token = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  localStorage.setItem(PLAYER, JSON.stringify(token));
  return token;
}

/**
 * The presenter's key of a game, from the address or from this tab; null for a player. It is taken
 * out of the address: it must not be in the history or in a screenshot.
 *
 * @param {string} id
 */
export function presenterKey(id) {
  const [, given] = FRAGMENT.exec(location.hash) ?? [];
  if (given) {
    history.replaceState(null, "", location.pathname + location.search);
    present(id, given);
  }
  const known = readStored(sessionStorage, KEY);
  return known?.id === id ? known.key : null;
}

/** @type {(id: string, key: string) => void} */
export function present(id, key) {
  const presented = JSON.stringify({ id, key });
  sessionStorage.setItem(KEY, presented);
  localStorage.setItem(STARTED, presented);
}

/** The key of a game that this browser has presented. @type {(id: string) => string | null} */
export function startedKey(id) {
  const known = readStored(localStorage, STARTED);
  return known?.id === id ? known.key : null;
}
