/** The texts of the window in the volunteer's language. */

import i18next from "i18next";
import de from "./locales/de.json";
import en from "./locales/en.json";

export type Language = "en" | "de";

declare module "i18next" {
  interface CustomTypeOptions {
    resources: { translation: typeof en };
  }
}

/** The first language we have among the wishes, such as `de-AT`; English when there is none. */
export function choose(wishes: readonly (string | null | undefined)[]): Language {
  for (const wish of wishes) {
    const code = wish?.toLowerCase().split(/[-_.]/)[0];
    if (code === "en" || code === "de") return code;
  }
  return "en";
}

/** Loads the texts and marks the document with their language. */
export async function loadTexts(language: Language): Promise<void> {
  await i18next.init({
    lng: language,
    fallbackLng: "en",
    resources: { en: { translation: en }, de: { translation: de } },
    // Preact escapes what it draws.
    interpolation: { escapeValue: false },
  });
  document.documentElement.lang = language;
}

export const t = i18next.t;

/** The language in use. */
export function language(): Language {
  return choose([i18next.language]);
}

/** The sentence for an idle code. */
export function idleSentence(code: string): string {
  const key = `idle.${code}`;
  return isKey(key) ? t(key) : t("idle.unknown", { code });
}

/** The sentence for a problem code; without a translation, the one that came with it. */
export function problemSentence(problem: { code: string; sentence: string }): string {
  const key = `problem.${problem.code}`;
  if (isKey(key)) return t(key);
  return problem.sentence === "" ? t("problem.unknown") : problem.sentence;
}

/** What a text that comes in several languages says in ours, else in English, else in any. */
export function inOurLanguage(texts: Record<string, string>, otherwise: string): string {
  return texts[language()] ?? texts.en ?? Object.values(texts)[0] ?? otherwise;
}

type CodedKey = `idle.${keyof typeof en.idle}` | `problem.${keyof typeof en.problem}`;

/** Codes come from outside: only plain ones that have a text are keys. */
function isKey(key: string): key is CodedKey {
  return /^[a-z]+\.[a-z-]+$/.test(key) && i18next.exists(key);
}
