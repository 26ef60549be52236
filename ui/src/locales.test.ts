import { describe, expect, test } from "vitest";
import de from "./locales/de.json";
import en from "./locales/en.json";

type Texts = { [key: string]: string | Texts };

function flat(texts: Texts, prefix = ""): Map<string, string> {
  const all = new Map<string, string>();
  for (const [key, value] of Object.entries(texts)) {
    if (typeof value === "string") all.set(prefix + key, value);
    else for (const [inner, text] of flat(value, `${prefix}${key}.`)) all.set(inner, text);
  }
  return all;
}

const blanks = (text: string) => [...text.matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1]).sort();

describe("the translations", () => {
  const english = flat(en);
  const german = flat(de);

  test("have the same keys", () => {
    expect([...german.keys()].sort()).toEqual([...english.keys()].sort());
  });

  test("have no empty text", () => {
    const empty = [...english, ...german].filter(([, text]) => text.trim() === "");
    expect(empty).toEqual([]);
  });

  test("leave the same blanks to fill in", () => {
    for (const [key, text] of english) expect([key, blanks(german.get(key) ?? "")]).toEqual([key, blanks(text)]);
  });

  test("never claim a record", () => {
    for (const [key, text] of [...english, ...german]) {
      expect([key, /world record|best known|weltrekord|a record\b/i.test(text)]).toEqual([key, false]);
    }
  });
});
