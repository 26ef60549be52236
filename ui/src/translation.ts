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

/** Groups of texts whose keys are codes from outside. */
export type Coded =
  | "ask"
  | "askRisk"
  | "askWhy"
  | "deed"
  | "hold"
  | "idle"
  | "problem"
  | "reason"
  | "rule"
  | "scope"
  | "untold"
  | "verdict"
  | "wall"
  | "wallName"
  | "yes";

/** The text for a code, if there is one: only plain codes are looked up. */
export function coded(group: Coded, code: string): string | null {
  const key = `${group}.${code}`;
  return /^[a-z]+(-[a-z]+)*$/.test(code) && i18next.exists(key) ? (t as (key: string) => string)(key) : null;
}

/** The sentence for an idle code. */
export function idleSentence(code: string): string {
  return coded("idle", code) ?? coded("hold", code) ?? t("idle.unknown", { code });
}

/** The sentence for a problem code; without a translation, the one that came with it. */
export function problemSentence(problem: { code: string; sentence: string }): string {
  const known = coded("problem", problem.code);
  if (known !== null) return known;
  return problem.sentence === "" ? t("problem.unknown") : problem.sentence;
}

/** What a text that comes in several languages says in ours, else in English, else in any. */
export function inOurLanguage(texts: Record<string, string>, otherwise: string): string {
  return texts[language()] ?? texts.en ?? Object.values(texts)[0] ?? otherwise;
}
