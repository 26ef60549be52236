import { describe, expect, test } from "vitest";
import { dashboard, fixtures } from "./fixtures";
import type { NodeView } from "./generated/NodeView";
import { all, key, one, press, publish, show } from "./page.test-support";

const view = (name: string): NodeView => fixtures[name] ?? dashboard;

describe("the pause menu", () => {
  test.each(["hour", "tomorrow", "resumed"])("pauses: %s", async (until) => {
    const node = await show(dashboard);
    await press("pause");
    await press(`pause-${until}`);
    expect(node.pause).toHaveBeenCalledExactlyOnceWith(until);
    expect(all("pause-hour")).toHaveLength(0);
  });

  test("is used with the keyboard", async () => {
    const node = await show(dashboard);
    one("pause").focus();
    await key("ArrowDown");
    expect(one("pause").getAttribute("aria-expanded")).toBe("true");
    expect(document.activeElement).toBe(one("pause-hour"));
    await key("ArrowUp");
    expect(document.activeElement).toBe(one("pause-resumed"));
    await key("Home");
    expect(document.activeElement).toBe(one("pause-hour"));
    await key("Escape");
    expect(all("pause-hour")).toHaveLength(0);
    expect(document.activeElement).toBe(one("pause"));
    expect(node.pause).not.toHaveBeenCalled();
  });

  test("closes when the focus goes elsewhere", async () => {
    await show(dashboard);
    await press("pause");
    one("stop").focus();
    await key("Tab");
    expect(all("pause-hour")).toHaveLength(0);
  });
});

describe("a pause", () => {
  test("says until when", async () => {
    await show(view("paused-hour"));
    expect(one("phase").textContent).toMatch(/^Paused until .*\d+:\d\d/);
    expect(one("paused-banner").textContent).toMatch(/goes on by itself (at|on) .*\d+:\d\d/);
  });

  test("without an end says that it stays", async () => {
    const node = await show(view("paused"));
    expect(one("phase").textContent).toBe("Paused");
    expect(one("paused-banner").textContent).toContain("until you choose");
    await press("resume");
    expect(node.resume).toHaveBeenCalledOnce();
  });

  test("does not call frozen work running", async () => {
    await show(view("paused"));
    expect(document.getElementById("running-title")?.textContent).toBe("Stands still for now");
    publish(dashboard);
    expect(document.getElementById("running-title")?.textContent).toBe("Running now");
  });

  test("below a halt can still be ended", async () => {
    const node = await show({ ...view("halted"), pause: { until_ms: null } });
    await press("resume");
    expect(node.resume).toHaveBeenCalledOnce();
  });
});

describe("a limit that holds the work", () => {
  test.each([
    ["schedule", "hours you chose"],
    ["battery", "runs on battery"],
    ["metered", "costs by use"],
    ["hot", "cools down"],
    ["in-use", "Somebody is using"],
    ["idle-unknown", "does not tell"],
    ["settling", "just started"],
    ["full-moon", "full-moon"],
    ["constructor", "constructor"],
  ])("%s is said in a sentence", async (code, words) => {
    await show({ ...dashboard, phase: "held", hold: { code, until_ms: null } });
    expect(one("held-banner").textContent).toContain(words);
    expect(one("held-banner").closest("[role=status]")).not.toBeNull();
    expect(one("phase").textContent).toContain("Resting");
  });

  test("outside the hours of work names the next one, or that there is none", async () => {
    const held = (mask: number): NodeView => ({
      ...dashboard,
      phase: "held",
      hold: { code: "schedule", until_ms: null },
      settings: { ...dashboard.settings, schedule: Array.from({ length: 7 }, () => mask) },
    });
    await show(held(0xffffff));
    expect(one("held-banner").textContent).toMatch(/starts again (at|on) .*\d+:00/);
    publish(held(0));
    expect(one("held-banner").textContent).toContain("no work ever runs");
  });

  test("says when work may go on, and leads to the limits", async () => {
    await show(view("held-schedule"));
    expect(one("held-banner").textContent).toMatch(/starts again on .*\d+:\d\d/);
    await press("held-limits");
    expect(all("limits")).toHaveLength(1);
    publish(view("held"));
    await press("page-overview");
    expect(one("held-banner").textContent).toContain("when that has changed");
  });
});

describe("a halt", () => {
  test("says until when, why, and that nothing is to be done", async () => {
    await show(view("halted"));
    const text = one("halted-banner").textContent;
    expect(text).toMatch(/stopped all work until .*\d+:\d\d/);
    expect(text).toContain("A fault was found");
    expect(text).toContain("You need to do nothing");
    expect(one("halted-banner").querySelector("q")?.lang).toBe("en");
  });

  test("without a reason that can be shown has none", async () => {
    await show(view("halted-bare"));
    expect(one("halted-banner").textContent).not.toContain("reason");
    publish({ ...view("halted"), halt: null });
    expect(one("halted-banner").textContent).toContain("stopped all work");
  });
});

test("a missing wall is said first, with its name", async () => {
  await show(view("walls-missing"));
  expect(one("phase").textContent).toContain("a safety wall is missing");
  expect(one("walls-missing").textContent).toContain("File wall, moat");
  expect(one("walls-missing").closest("[role=alert]")).not.toBeNull();
  await press("walls-safety");
  expect(all("safety")).toHaveLength(1);
});

test("an open question with nothing to do is the state", async () => {
  await show(view("question"));
  expect(one("phase").textContent).toContain("Waiting for your answer");
});

describe("the pages", () => {
  test("are there while the node is, and take the focus to their heading", async () => {
    await show(dashboard);
    await press("page-safety");
    expect(document.activeElement?.textContent).toBe("Safety");
    expect(one("page-safety").getAttribute("aria-current")).toBe("page");
    expect(one("page-overview").hasAttribute("aria-current")).toBe(false);
    publish(view("failed"));
    expect(all("safety")).toHaveLength(0);
    expect(all("page-safety")).toHaveLength(0);
  });
});

describe("without a yes to the only campaign", () => {
  const waiting = (verdict: string, rule: string): NodeView => ({
    ...view("question"),
    questions: [],
    campaigns: [],
    idle_reason: "waiting",
    safety: {
      ...dashboard.safety,
      decisions: [
        { at_ms: "2", action: "connect", tier: "low", verdict: "permitted", rule: "low-risk", correlation: null },
        { at_ms: "1", action: "join-campaign", tier: "medium", verdict, rule, correlation: null },
      ],
    },
  });

  test.each([
    ["asked", "medium-risk", "needs your yes first"],
    ["denied", "not-asked-again", "asked about it not long ago"],
    ["permitted", "low-risk", "should arrive soon"],
  ])("%s: the sentence says so", async (verdict, rule, words) => {
    await show(waiting(verdict, rule));
    expect(one("idle-reason").textContent).toContain(words);
  });

  test("work of another campaign is waited for", async () => {
    await show({ ...waiting("asked", "medium-risk"), campaigns: dashboard.campaigns });
    expect(one("idle-reason").textContent).toContain("should arrive soon");
  });
});
