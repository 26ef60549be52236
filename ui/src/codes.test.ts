import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { rules, WALLS } from "./fixtures";
import de from "./locales/de.json";
import en from "./locales/en.json";

/** Every code that the program can send has words in both languages: the codes are read from its source. */

const CRATES = join(import.meta.dirname, "../../crates");
const source = (...path: string[]) => readFileSync(join(CRATES, ...path), "utf8");
const found = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map((match) => match[1] ?? "");

/** What is between two texts. */
function between(text: string, from: string, to: string): string {
  const start = text.indexOf(from);
  expect([from, start >= 0]).toEqual([from, true]);
  return text.slice(start, text.indexOf(to, start));
}

function haveWords(group: keyof typeof en, codes: string[], least: number) {
  expect(codes.length).toBeGreaterThanOrEqual(least);
  for (const texts of [en, de]) {
    const words = texts[group] as Record<string, string>;
    expect([group, codes.filter((code) => (words[code] ?? "") === "")]).toEqual([group, []]);
  }
}

const policy = source("omni-core", "src", "policy.rs");
const governor = source("omni-core", "src", "governor.rs");
const action = source("omni-types", "src", "action.rs");

describe("there are words for every", () => {
  const table = between(policy, "pub const RULES", "];");
  const ruled = [...table.matchAll(/\b(low|medium|high)\(\s*"([a-z-]+)"/g)].map((match) => ({
    action: match[2] ?? "",
    tier: match[1] ?? "",
  }));

  test("rule, and the made-up views have the real ones", () => {
    haveWords("rule", ruled.map((rule) => rule.action), 15);
    haveWords("deed", ruled.map((rule) => rule.action), 15);
    expect(rules).toEqual(ruled);
  });

  test("question", () => {
    // Joining a campaign is as risky as the campaign says.
    const asked = ["join-campaign", ...ruled.filter((rule) => rule.tier === "medium").map((rule) => rule.action)];
    for (const group of ["ask", "askWhy", "askRisk"] as const) haveWords(group, asked, 6);
  });

  test("scope and verdict", () => {
    const codes = (name: string) => found(between(action, `impl ${name} {`, "\n}\n"), /=> "([a-z-]+)"/g);
    haveWords("scope", codes("Scope"), 3);
    haveWords("yes", codes("Scope"), 3);
    haveWords("verdict", codes("DecisionVerdict"), 3);
  });

  test("reason", () => {
    haveWords("reason", found(between(policy, "impl Denial {", "\n}\n"), /=> "([a-z-]+)"/g), 10);
    haveWords("reason", ["low-risk", "medium-risk", "confirmed"], 3);
  });

  test("hold, and every signal that is not told", () => {
    const named = (name: string) => found(between(governor, ` ${name} {`, "\n}\n"), /= "([a-z-]+)",/g);
    haveWords("hold", named("Hold"), 8);
    haveWords("untold", named("Untold"), 5);
  });

  test("wall, and the made-up views have the real ones", () => {
    const report = source("omni-sandbox", "src", "report.rs");
    const codes = found(between(between(report, "impl Wall {", "\n}\n"), "fn code", "\n    }\n"), /=> "([a-z-]+)"/g);
    haveWords("wall", codes, 10);
    haveWords("wallName", codes, 10);
    expect(WALLS).toEqual(codes);
  });

  test("kind of answer that keeps work from running", () => {
    const denied = ["walls-missing", "skill-not-allowed", "limits-too-high", "above-your-limits"];
    haveWords("idle", [...denied, "not-confirmed", "not-asked-again", "not-allowed", "halted", "held"], 9);
  });
});
