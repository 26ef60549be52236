import { describe, expect, test, vi } from "vitest";
import { dashboard, questions } from "./fixtures";
import type { NodeView } from "./generated/NodeView";
import type { QuestionView } from "./generated/QuestionView";
import { all, key, one, press, publish, root, settled, show } from "./page.test-support";
import { SETTLE_MS, shortest } from "./parts/question";

const with_ = (...asked: QuestionView[]): NodeView => ({ ...dashboard, questions: asked });
const [first, second, third] = questions as [QuestionView, QuestionView, QuestionView];

/** Lets the time pass in which a new question takes no "yes". */
function settle() {
  vi.setSystemTime(Date.now() + SETTLE_MS);
}

describe.each(["en", "de"] as const)("in %s", (language) => {
  test.each(questions.map((question) => [question.action.name, question] as const))(
    "the question %s says what, why, what can go wrong, for how long and until when",
    async (_name, question) => {
      await show(with_(question), language);
      const text = one("question").textContent;
      expect(text).not.toMatch(/\{\{|undefined|null|\b(ask\w*|scope|yes|question)\.[a-z]/);
      const { host, folder, address } = question.action;
      for (const part of [host, folder, address]) if (part !== null) expect(text).toContain(part);
      expect(text).toContain(language === "en" ? "What can go wrong" : "Was schiefgehen kann");
      expect(one("question-silence").textContent).toMatch(/\d+[:.]\d\d/);
      const labels = one("question").getAttribute("aria-labelledby") ?? "";
      expect(document.getElementById(labels)?.tagName).toBe("H2");
    },
  );
});

test("the question names the campaign and its steward", async () => {
  await show(with_(first));
  expect(one("question").textContent).toContain("Binary sequences that hardly resemble themselves");
  expect(one("question").textContent).toContain(first.action.steward?.slice(0, 12));
});

test("the amounts that are asked for are shown", async () => {
  await show(with_(second));
  const text = one("question").textContent;
  for (const part of ["512 MB", "4096 MB", "90 %"]) expect(text).toContain(part);
});

describe("a new question", () => {
  test("is a modal dialog with the focus on no", async () => {
    await show(with_(first));
    expect(one("question").tagName).toBe("DIALOG");
    expect(one("question").hasAttribute("open")).toBe(true);
    expect(document.activeElement).toBe(one("question-no"));
  });

  test("takes no yes for a moment, so that a click meant for something else is none", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const node = await show(with_(first));
    await press("question-yes");
    expect(node.answer).not.toHaveBeenCalled();
    settle();
    await press("question-yes");
    expect(node.answer).toHaveBeenCalledExactlyOnceWith("1", true, "day");
  });

  test("comes with the focus on no again after another was answered", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const node = await show(with_(first, second));
    settle();
    one("question-yes").focus();
    await press("question-yes");
    publish(with_(second));
    await settled();
    expect(one("question").dataset.question).toBe("2");
    expect(document.activeElement).toBe(one("question-no"));
    await press("question-yes");
    expect(node.answer).toHaveBeenCalledOnce();
  });
});

test("Enter never says yes, wherever the focus is", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  const node = await show(with_(first));
  settle();
  for (const part of ["question-yes", "scope-day", "scope-campaign"]) {
    one(part).focus();
    const left = await key("Enter");
    // A radio button does nothing on Enter outside a form.
    expect(left).toBe(part !== "question-yes");
  }
  expect(node.answer).not.toHaveBeenCalled();
  expect(one("question-said").textContent).toContain("space bar");
  expect(root.querySelector("dialog form")).toBeNull();
});

test("no is sent without a scope, and only once", async () => {
  const node = await show(with_(first));
  await press("question-no");
  await press("question-no");
  await press("question-yes");
  expect(node.answer).toHaveBeenCalledExactlyOnceWith("1", false, null);
});

test("yes is sent for the scope that was chosen, and the button says so", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  const node = await show(with_(third));
  settle();
  expect((one("scope-once") as HTMLInputElement).checked).toBe(true);
  expect(one("question-yes").textContent).toBe("Yes, this once");
  await press("scope-campaign");
  expect(one("question-yes").textContent).toBe("Yes, for the whole campaign");
  await press("question-yes");
  expect(node.answer).toHaveBeenCalledExactlyOnceWith("3", true, "campaign");
});

test("what goes wrong with an answer is said in the dialog, and it can be given again", async () => {
  const node = await show(with_(first));
  node.answer.mockRejectedValueOnce({ code: "disk-full", sentence: "" });
  await press("question-no");
  expect(one("question-said").textContent).toContain("not enough free disk space");
  await press("question-no");
  expect(node.answer).toHaveBeenCalledTimes(2);
});

describe("deciding later", () => {
  const escape = async () => {
    one("question").dispatchEvent(new Event("cancel", { cancelable: true }));
    await settled();
  };

  test("answers nothing, leaves a banner, and the banner opens the question again", async () => {
    const node = await show(with_(first, second));
    await escape();
    expect(all("question")).toHaveLength(0);
    expect(one("questions-banner").textContent).toContain("2 questions wait for you");
    await press("questions-open");
    expect(one("question").dataset.question).toBe("1");
    expect(all("questions-banner")).toHaveLength(0);
    await press("question-later");
    expect(all("question")).toHaveLength(0);
    expect(node.answer).not.toHaveBeenCalled();
  });

  test("holds back the known questions, not a new one", async () => {
    await show(with_(first));
    await escape();
    publish(with_(first, second));
    expect(one("question").dataset.question).toBe("2");
    expect(one("question").textContent).toContain("Question 2 of 2");
  });

  test("keeps the banner on every page", async () => {
    await show(with_(first));
    await escape();
    for (const page of ["page-limits", "page-safety"]) {
      await press(page);
      expect(all("questions-banner")).toHaveLength(1);
    }
  });
});

test("a question that timed out vanishes and gives the focus back", async () => {
  await show(dashboard);
  one("stop").focus();
  publish(with_(first));
  await settled();
  expect(document.activeElement).toBe(one("question-no"));
  publish(dashboard);
  await settled();
  expect(all("question")).toHaveLength(0);
  expect(all("questions-banner")).toHaveLength(0);
  expect(document.activeElement).toBe(one("stop"));
});

test("the minutes left are drawn for the eye and never announced", async () => {
  vi.useFakeTimers({ toFake: ["Date", "setInterval", "clearInterval"] });
  const expires = String(Date.now() + 9.5 * 60_000);
  await show(with_({ ...first, expires_at_ms: expires }));
  const left = () => one("question-silence").querySelector("[aria-hidden=true]")?.textContent;
  expect(left()).toContain("10 minutes left");
  vi.advanceTimersByTime(3 * 60_000);
  await settled();
  expect(left()).toContain("7 minutes left");
  expect(one("question-silence").closest("[aria-live],[role=status],[role=alert],[role=timer]")).toBeNull();
});

test.each([
  [["campaign", "day", "once"], "once"],
  [["campaign", "day"], "day"],
  [["moon"], "moon"],
  [[], "once"],
])("of %o the shortest is %s", (scopes, expected) => {
  expect(shortest(scopes)).toBe(expected);
});

test("hostile names are text", async () => {
  const action = { ...first.action, title: { en: "<b>x</b>" }, host: "<img src=x>" };
  await show(with_({ ...first, action }));
  expect(root.querySelector("dialog img, dialog dd b")).toBeNull();
  expect(one("question").textContent).toContain("<b>x</b>");
});

test("without consent nothing is asked", async () => {
  await show({ ...with_(first), phase: "consent-needed" });
  expect(all("question")).toHaveLength(0);
});
