// The language of the wall: chosen by the address, else by the browser; switched at once.
import en from "./en.js";
import zh from "./zh.js";

const TABLES = { en, zh };
const LOCALES = { en: "en-GB", zh: "zh-CN" };
let current = "en";

export const language = () => current;
export const locale = () => LOCALES[current];
export const preferred = () => (navigator.languages?.[0] ?? navigator.language).toLowerCase().startsWith("zh") ? "zh" : "en";

export function setLanguage(name) {
  current = name in TABLES ? name : preferred();
  document.documentElement.lang = locale();
  for (const node of document.querySelectorAll("[data-i18n]")) node.textContent = t(node.dataset.i18n);
  document.title = t("title");
}

/** Return the text for `key` with {name} replaced; an unknown key shows itself. */
export function t(key, values = {}) {
  const pattern = TABLES[current][key] ?? key;
  return pattern.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** Return the label of a {en, zh} pair in the current language, else in the other, else `fallback`. */
export const label = (pair, fallback = "") => pair?.[current] || pair?.en || pair?.zh || fallback;
