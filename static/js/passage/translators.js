/**
 * External translators that accept a text in a URL.
 *
 * The page never contacts them itself; they are links that the user follows.
 */

const KEY = "hurrah-translator";

/** The length limit of a URL in characters after encoding; all of them accept this. */
const LIMIT_ADDRESS = 4000;

export const TRANSLATORS = [
  {
    name: "Google Translate",
    template: "https://translate.google.com/?sl=auto&tl={language}&op=translate&text={text}",
  },
  { name: "DeepL", template: "https://www.deepl.com/translator#auto/{language}/{text}" },
  {
    name: "Bing Translator",
    template: "https://www.bing.com/translator?to={language}&text={text}",
  },
];

/** What is wrong with a custom template, as a sentence; null if it is valid. */
export function templateError(template) {
  if (!template.includes("{text}")) return "It must contain {text} where the text goes.";
  const address = parsed(template.replaceAll("{text}", "x").replaceAll("{language}", "en"));
  if (!address) return "It is not a valid URL.";
  if (address.protocol !== "https:") return "It must begin with https://.";
  if (address.username || address.password) return "It must not contain a user name or a password.";
  if (!parsed(template)?.host || /[{}]|%7b/iu.test(parsed(template).host)) {
    return "The text cannot be part of the host name.";
  }
  return null;
}

function parsed(address) {
  try {
    return new URL(address);
  } catch {
    return null;
  }
}

/**
 * The URL that contains a text, and how much of the text fits.
 *
 * @returns {{href: string, characters: number}} cut at a word if the text does not fit.
 */
export function translationUrl(template, text, language) {
  const filled = template.replaceAll("{language}", encodeURIComponent(language));
  const encoded = filled.includes("#") ? forFragment : encodeURIComponent;
  const available = LIMIT_ADDRESS - filled.length;
  let part = Array.from(text).slice(0, LIMIT_ADDRESS).join("");
  while (encoded(part).length > available && part) {
    // A step that certainly shortens it, to just below what fits.
    const share = Math.min(available / encoded(part).length, 0.98);
    const cut = Array.from(part);
    part = cut.slice(0, Math.floor(cut.length * Math.max(share, 0))).join("");
  }
  if (part.length < text.length) part = part.replace(/\s+\S*$/u, "") || part;
  return {
    // A function, since $ has a meaning in a replacement string.
    href: filled.replaceAll("{text}", () => encoded(part)),
    characters: Array.from(part).length,
  };
}

/** DeepL splits the part after # at slashes, unless they are escaped twice. */
const forFragment = (text) => encodeURIComponent(text).replaceAll("%2F", "%5C%2F");

/** The custom template, or "". */
export function customTemplate() {
  try {
    const stored = localStorage.getItem(KEY) ?? "";
    return stored && templateError(stored) === null ? stored : "";
  } catch {
    return "";
  }
}

/** Store or remove the custom template. */
export function rememberTemplate(template) {
  try {
    if (template) localStorage.setItem(KEY, template);
    else localStorage.removeItem(KEY);
  } catch {
    // Storage may be blocked; the template then lasts for this page only.
  }
}
