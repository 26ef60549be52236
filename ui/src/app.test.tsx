import { describe, expect, test } from "vitest";
import { campaign, dashboard, fixtures } from "./fixtures";
import type { NodeView } from "./generated/NodeView";
import { all, draw, link, one, press, publish, root, settled, show } from "./page.test-support";
import { meaning } from "./parts/campaign";
import { choose, loadTexts } from "./translation";

const view = (name: string): NodeView => fixtures[name] ?? dashboard;

describe.each(["en", "de"] as const)("in %s", (language) => {
  test.each(Object.entries(fixtures))("the page %s carries its phase and leaves no text out", async (_name, view) => {
    await show(view, language);
    expect(root.firstElementChild?.getAttribute("data-phase")).toBe(view.phase);
    expect(one("phase").textContent).not.toBe("");
    expect(root.textContent).not.toMatch(/\{\{|undefined|\b(phase|consent|idle|best|problem|limits|safety|ask\w*|question|banner)\.[a-z]/);
    expect(root.querySelectorAll("h1")).toHaveLength(1);
    for (const button of root.querySelectorAll("button")) expect(button.dataset.testid).toBeTruthy();
    expect(document.documentElement.lang).toBe(language);
  });
});

describe("consent", () => {
  test("has the focus on the safe answer", async () => {
    const node = await show(view("consent"));
    expect(document.activeElement).toBe(one("not-now"));
    await press("not-now");
    expect(node.agree).not.toHaveBeenCalled();
    expect(all("agree")).toHaveLength(0);
    expect(document.activeElement?.tagName).toBe("H1");
  });

  test("is given for the version on the page", async () => {
    const node = await show(view("consent"));
    expect(root.textContent).toContain("Policy version 2");
    await press("agree");
    expect(node.agree).toHaveBeenCalledExactlyOnceWith(2);
  });

  test("is withdrawn after one question", async () => {
    const node = await show(dashboard);
    await press("withdraw");
    expect(node.withdraw).not.toHaveBeenCalled();
    expect(document.activeElement).toBe(one("withdraw-cancel"));
    await press("withdraw-cancel");
    await press("withdraw");
    await press("withdraw-confirm");
    expect(node.withdraw).toHaveBeenCalledOnce();
  });
});

describe("the controls", () => {
  test("stop at once and without a question", async () => {
    const node = await show(dashboard);
    await press("stop");
    expect(node.stopEverything).toHaveBeenCalledOnce();
  });

  test("lift the stop only by its own button", async () => {
    const node = await show(view("stopped"));
    await press("stop");
    expect(node.stopEverything).not.toHaveBeenCalled();
    expect(node.liftStop).not.toHaveBeenCalled();
    await press("lift-stop");
    expect(node.liftStop).toHaveBeenCalledOnce();
  });

  test("pause while running and resume while paused", async () => {
    const node = await show(dashboard);
    await press("pause");
    expect(node.pause).not.toHaveBeenCalled();
    await press("pause-resumed");
    expect(node.pause).toHaveBeenCalledExactlyOnceWith("resumed");
    publish(view("paused"));
    expect(all("pause")).toHaveLength(0);
    await press("resume");
    expect(node.resume).toHaveBeenCalledOnce();
  });

  test("say when a command fails", async () => {
    const node = await show(dashboard);
    node.pause.mockRejectedValueOnce({ code: "disk-full", sentence: "unused" });
    await press("pause");
    await press("pause-hour");
    expect(one("command-failed").textContent).toContain("not enough free disk space");
  });

  test("keep the keyboard focus on the page when a button goes", async () => {
    await show(view("stopped"));
    one("lift-stop").focus();
    publish(dashboard);
    expect(document.activeElement?.tagName).toBe("MAIN");
  });
});

describe("the dashboard", () => {
  test("shows every running unit with its parts in words", async () => {
    await show(dashboard);
    expect(all("running-unit")).toHaveLength(2);
    expect(one("running-unit").textContent).toContain("3 of 8 parts");
  });

  test("says running only when something runs, and why nothing does", async () => {
    await show(view("idle"));
    expect(one("phase").textContent).toContain("Ready, nothing to do");
    expect(one("idle-reason").textContent).toContain("asked for");
    publish({ ...view("idle"), idle_reason: "brand-new" });
    expect(one("idle-reason").textContent).toContain("brand-new");
    publish({ ...view("idle"), idle_reason: "constructor" });
    expect(one("idle-reason").textContent).toContain("no work");
  });

  test("shows a few receipts and all of them when asked", async () => {
    await show(dashboard);
    expect(all("receipt-row")).toHaveLength(8);
    await press("more-receipts");
    expect(all("receipt-row")).toHaveLength(20);
    publish({ ...dashboard, receipts: [] });
    expect(one("receipts-empty").textContent).toContain("No receipts yet");
  });

  test("describes the sequence in words", async () => {
    await show(dashboard);
    const label = root.querySelector(".sequence svg")?.getAttribute("aria-label");
    expect(label).toMatch(/^Sequence of 47 signs: \d+ plus, \d+ minus$/);
  });

  test("shows hostile text as text", async () => {
    const title = { en: "<img src=x onerror=alert(1)>" };
    await show({ ...dashboard, campaigns: [{ ...campaign, title }] });
    expect(root.querySelector("img")).toBeNull();
    expect(root.textContent).toContain("<img src=x");
  });
});

describe("a failure", () => {
  test("is explained in the language of the volunteer, else in its own sentence", async () => {
    await show(view("key-store"), "de");
    expect(one("problem").textContent).toContain("Schlüsselspeicher");
    publish(view("failed"));
    expect(one("problem").textContent).toContain("A sentence that came with the problem.");
    expect(all("use-session-identity")).toHaveLength(0);
  });

  test("of the key store offers a temporary identity and says what is lost", async () => {
    const node = await show(view("key-store"));
    expect(root.textContent).toContain("are lost when the program ends");
    await press("use-session-identity");
    expect(node.useSessionIdentity).toHaveBeenCalledOnce();
  });

  test("to reach the program is said on the page", async () => {
    await loadTexts("en");
    const node = link(dashboard);
    node.view.mockRejectedValueOnce("gone");
    await draw(node);
    expect(root.textContent).toContain("cannot reach the program");
  });
});

test("an answer older than an event is dropped", async () => {
  await loadTexts("en");
  const node = link(dashboard);
  let answer: (view: NodeView) => void = () => undefined;
  node.view.mockReturnValueOnce(new Promise((resolve) => (answer = resolve)));
  await draw(node);
  publish(view("stopped"));
  answer(dashboard);
  await settled();
  expect(root.firstElementChild?.getAttribute("data-phase")).toBe("stopped");
});

test.each([
  [130, { energy: 135, proven_optimal: false }, "better"],
  [135, { energy: 135, proven_optimal: false }, "equal"],
  [135, { energy: 135, proven_optimal: true }, "optimal"],
  [140, { energy: 135, proven_optimal: true }, "worse"],
  [130, { energy: 135, proven_optimal: true }, "contradiction"],
  [130, null, "noTable"],
] as const)("energy %d beside %o is %s", (energy, published, expected) => {
  const best = { energy, merit_factor: "1.00", sequence: "+" };
  expect(meaning(best, published && { ...published, merit_factor: "1.00" })).toBe(expected);
});

test.each([
  [["de_AT.UTF-8"], "de"],
  [["fr-FR", "de"], "de"],
  [[null, "C"], "en"],
  [["english"], "en"],
] as const)("from the wishes %o comes %s", (wishes, expected) => {
  expect(choose(wishes)).toBe(expected);
});
