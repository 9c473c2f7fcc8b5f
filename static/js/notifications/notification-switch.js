/**
 * The checkbox for notifications. The browser asks for permission when it is checked, and at no
 * other time; the choice is stored for all windows of this browser.
 */

import { find, setText } from "../lib/dom.js";

const KEY = "hurrah-notifications";

const WHEN = "Only while this page is hidden.";
const BLOCKED =
  "This browser blocks notifications of this page. To allow them, open the settings of this site" +
  " beside its address.";
const NOT_ALLOWED = "This browser has not allowed them.";
const INSECURE = "Notifications need HTTPS, or the address localhost.";
const MISSING = "This browser has no notifications of an open page.";

export class NotificationSwitch {
  #box = find("#notify");
  #hint = find("#notify-hint");
  #isOn = stored();
  #isMissing = false;

  constructor() {
    this.#box.addEventListener("change", () => this.#change());
    window.addEventListener("storage", ({ key }) => {
      if (key !== KEY && key !== null) return;
      this.#isOn = stored();
      this.#show();
    });
    this.#followPermission();
    this.#show();
  }

  /** Whether notifications are chosen and allowed. */
  get isOn() {
    return this.#isOn && this.#reason() === null && Notification.permission === "granted";
  }

  /**
   * Show a notification; a click on it shows this page.
   *
   * @param {string} title
   * @param {NotificationOptions} options
   */
  notify(title, options) {
    try {
      const shown = new Notification(title, options);
      shown.onclick = () => {
        window.focus();
        shown.close();
      };
    } catch {
      this.#isMissing = true;
      this.#show();
    }
  }

  async #change() {
    const asked = this.#box.checked;
    this.#isOn = asked && (await this.#isAllowed());
    try {
      if (this.#isOn) localStorage.setItem(KEY, "on");
      else localStorage.removeItem(KEY);
    } catch {
      // Storage may be blocked; the choice then lasts for this page only.
    }
    this.#show(asked && !this.#isOn ? NOT_ALLOWED : WHEN);
  }

  async #isAllowed() {
    if (Notification.permission === "default") {
      try {
        // Without permission it shows nothing. On a phone it is an error at any time.
        new Notification("Hurrah");
      } catch {
        this.#isMissing = true;
        return false;
      }
      await Notification.requestPermission();
    }
    return Notification.permission === "granted";
  }

  /** Why there can be none, in a sentence; null if there can, or if the user can be asked. */
  #reason() {
    if (!window.isSecureContext) return INSECURE;
    if (this.#isMissing || !("Notification" in window)) return MISSING;
    return Notification.permission === "denied" ? BLOCKED : null;
  }

  #show(hint = WHEN) {
    const reason = this.#reason();
    this.#box.checked = this.isOn;
    this.#box.disabled = reason !== null;
    setText(this.#hint, reason ?? hint);
  }

  /** Show when the user allows or blocks notifications in the browser's settings. */
  async #followPermission() {
    try {
      const status = await navigator.permissions.query({ name: "notifications" });
      status.onchange = () => this.#show();
    } catch {
      // Some browsers do not tell.
    }
  }
}

function stored() {
  try {
    return localStorage.getItem(KEY) === "on";
  } catch {
    return false;
  }
}
