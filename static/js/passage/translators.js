/**
 * Translators elsewhere that a text can be handed to, in an address; for fun.
 *
 * The page itself asks them for nothing: they are links that the reader follows.
 */

const KEY = "hurrah-translator";

/** What an address may take, in characters after encoding: less than any of them refuses. */
export const LIMIT_ADDRESS = 4000;

export const TRANSLATORS = [
  {
    name: "Google Translate",
    template: "https://translate.google.com/?sl=auto&tl={language}&op=translate&text={text}",
  },
  { name: "DeepL", template: "https://www.deepl.com/translator#auto/{language}/{text}" },
  { name: "Bing Translator", template: "https://www.bing.com/translator?to={language}&text={text}" },
];

/** What is wrong with a template of the reader's own, as a sentence; null: nothing. */
export function templateError(template) {
  if (!template.includes("{text}")) return "It needs {text} where the text goes.";
  const address = parsed(template.replaceAll("{text}", "x").replaceAll("{language}", "en"));
  if (!address) return "It is no address.";
  if (address.protocol !== "https:") return "It must begin with https://.";
  if (address.username || address.password) return "It must not hold a name or password.";
  if (!parsed(template)?.host || /[{}]|%7b/iu.test(parsed(template).host)) {
    return "The text can't be part of the site's name.";
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
 * The address that hands a text over, and how much of the text is in it.
 *
 * @returns {{href: string, characters: number}} whole words, where the address can't take it all.
 */
export function translationUrl(template, text, language) {
  const filled = template.replaceAll("{language}", encodeURIComponent(language));
  const encoded = filled.includes("#") ? forFragment : encodeURIComponent;
  const room = LIMIT_ADDRESS - filled.length;
  let part = Array.from(text).slice(0, LIMIT_ADDRESS).join("");
  while (encoded(part).length > room && part) {
    // A step that surely shortens it, and lands near the end of what fits.
    const share = Math.min(room / encoded(part).length, 0.98);
    const cut = Array.from(part);
    part = cut.slice(0, Math.floor(cut.length * Math.max(share, 0))).join("");
  }
  if (part.length < text.length) part = part.replace(/\s+\S*$/u, "") || part;
  return {
    // A function, since what follows a $ would otherwise mean something.
    href: filled.replaceAll("{text}", () => encoded(part)),
    characters: Array.from(part).length,
  };
}

/** Those that read the part after # take it apart at slashes, unless these are escaped twice. */
const forFragment = (text) => encodeURIComponent(text).replaceAll("%2F", "%5C%2F");

/** The reader's own template, or "". */
export function customTemplate() {
  try {
    const stored = localStorage.getItem(KEY) ?? "";
    return stored && templateError(stored) === null ? stored : "";
  } catch {
    return "";
  }
}

/** Remember the reader's own template, or forget it. */
export function rememberTemplate(template) {
  try {
    if (template) localStorage.setItem(KEY, template);
    else localStorage.removeItem(KEY);
  } catch {
    // Storage closed to us: it then holds for this page only.
  }
}
