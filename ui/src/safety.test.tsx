import { describe, expect, test } from "vitest";
import { dashboard, fixtures, rules } from "./fixtures";
import type { NodeView } from "./generated/NodeView";
import { all, one, press, publish, root, show } from "./page.test-support";

const view = (name: string): NodeView => fixtures[name] ?? dashboard;

async function open(view = dashboard, language: "en" | "de" = "en") {
  const node = await show(view, language);
  await press("page-safety");
  return node;
}

describe.each(["en", "de"] as const)("in %s", (language) => {
  test.each(["dashboard", "granted", "walls-missing"])("the page leaves no text out: %s", async (name) => {
    await open(view(name), language);
    expect(root.textContent).not.toMatch(/\{\{|undefined|\b(safety|rule|deed|reason|verdict|wall\w*|scope)\.[a-z]/);
  });
});

describe("the walls", () => {
  test("are each told in words, up or missing", async () => {
    await open(view("walls-missing"));
    const walls = all("wall");
    expect(walls).toHaveLength(11);
    for (const wall of walls) {
      expect(wall.textContent).toMatch(wall.dataset.up === "true" ? /^up/ : /^missing/);
    }
    expect(one("walls-summary").textContent).toContain("no work runs");
    // One that this window has no words for is shown all the same.
    expect(walls.at(-1)?.textContent).toContain("moat");
  });

  test("that are missing are not described as if they held", async () => {
    await open(view("walls-missing"));
    const down = all("wall").find((wall) => wall.textContent.includes("File wall"));
    expect(down?.textContent).toContain("Not ensured here");
  });

  test("are all up, or some are not to be had here, or nobody has looked yet", async () => {
    await open();
    expect(one("walls-summary").textContent).toBe("All 10 walls are up.");
    const walls = dashboard.safety.walls.map((wall, n) => ({ ...wall, up: n > 0 }));
    publish({ ...dashboard, safety: { ...dashboard.safety, walls } });
    expect(one("walls-summary").textContent).toContain("The ones that it should have are up");
    publish({ ...dashboard, safety: { ...dashboard.safety, walls: [] } });
    expect(one("walls-summary").textContent).toContain("before the first calculation");
  });
});

describe("the rules", () => {
  const counts = () => ["low", "medium", "high"].map((tier) => one(`rules-${tier}`).childElementCount);

  test("come from the policy on both pages that show them", async () => {
    await open();
    expect(counts()).toEqual([6, 5, 4]);
    publish(view("consent"));
    expect(counts()).toEqual([6, 5, 4]);
    // What the program does not have in its policy is not promised.
    const fewer = rules.filter((rule) => rule.action !== "open-port");
    publish({ ...view("consent"), policy: { ...view("consent").policy, rules: fewer } });
    expect(counts()).toEqual([6, 5, 3]);
    expect(root.textContent).not.toContain("further doors");
  });

  test("without words are shown by name, and of an unknown tier as forbidden", async () => {
    const more = [...rules, { action: "sing-a-song", tier: "extreme" }];
    await open({ ...dashboard, policy: { ...dashboard.policy, rules: more } });
    expect(one("rules-high").textContent).toContain("sing-a-song");
  });
});

describe("the permissions", () => {
  test("say what, for whom and until when", async () => {
    await open(view("granted"));
    const [first, second] = all("grant");
    expect(first?.textContent).toMatch(/Take part in a campaign.*Binary sequences.*holds until .*\d+:\d\d/s);
    expect(second?.textContent).toContain("as long as the campaign runs");
    expect(second?.textContent).toContain("data.example.org");
  });

  test("are taken back, and the focus stays on the page", async () => {
    const node = await open(view("granted"));
    const button = one("take-back");
    expect(button.getAttribute("aria-label")).toBe("Take back: Take part in a campaign");
    button.focus();
    await press("take-back");
    expect(node.revoke).toHaveBeenCalledExactlyOnceWith("1");
    publish(dashboard);
    expect(one("grants-none").textContent).toContain("None");
    expect(document.activeElement?.id).toBe("grants-title");
  });
});

describe("the decisions", () => {
  test("are told in plain words", async () => {
    await open();
    expect(all("decision")).toHaveLength(8);
    await press("more-decisions");
    expect(all("decision")).toHaveLength(12);
    const texts = all("decision").map((row) => row.textContent);
    expect(texts[0]).toMatch(/Run a calculation.*Permitted: within the rules/s);
    expect(texts[2]).toMatch(/You were asked.*question 1/s);
    expect(texts[3]).toMatch(/Refused: more than you allow/);
  });

  test("with codes from the future show the codes", async () => {
    const odd = {
      at_ms: "1764000000000",
      action: "sing-a-song",
      tier: null,
      verdict: "sung",
      rule: "out-of-tune",
      correlation: null,
    };
    await open({ ...dashboard, safety: { ...dashboard.safety, decisions: [odd] } });
    expect(one("decision").textContent).toMatch(/sing-a-song.*sung: out-of-tune/s);
  });

  test("are counted", async () => {
    await open();
    expect(one("counter-permitted").textContent).toBe("1,432");
    expect(one("counter-timed_out").textContent).toBe("1");
  });
});
