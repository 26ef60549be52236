import { describe, expect, test } from "vitest";
import { dashboard, fixtures, settings } from "./fixtures";
import { formOf, maskOf, nextHour, NIGHT, preset, read, settingsOf, stretches, WHOLE_DAY, wrong } from "./limits";
import { all, choose, key, one, press, publish, root, show, type } from "./page.test-support";
import { loadTexts } from "./translation";

describe("what is typed", () => {
  test.each([
    ["cores", "1", 1],
    ["cores", "64", 64],
    ["cores", "65", null],
    ["cores", "0", null],
    ["cores", "1.5", null],
    ["cores", "", null],
    ["cores", "many", null],
    ["memory", "0.25", 0.25],
    ["memory", "0,5", 0.5],
    ["memory", " 2 ", 2],
    ["memory", "0.2", null],
    ["memory", "1024", 1024],
    ["memory", "1025", null],
    ["memory", "1e3", null],
    ["memory", "-1", null],
    ["disk", "16384", 16384],
    ["idle", "1440", 1440],
    ["idle", "1441", null],
  ] as const)("%s %s is %s", (field, text, number) => {
    expect(read(field, text)).toBe(number);
  });

  test("becomes settings again, and what was not touched stays exact", async () => {
    await loadTexts("de");
    const odd = { ...settings, memory_mib: 300, disk_mib: 4001, schedule: [1, 2, 3, 4, 5, 6, 7] };
    expect(settingsOf(formOf(odd), odd)).toEqual(odd);
    expect(formOf(odd).memory).toContain(",");
    expect(settingsOf({ ...formOf(odd), memory: "0,5" }, odd)?.memory_mib).toBe(512);
    expect(settingsOf({ ...formOf(odd), idle: "x" }, odd)).toBeNull();
    expect(wrong({ ...formOf(odd), idle: "x", cores: "" })).toEqual(["cores", "idle"]);
  });
});

describe("the hours of a day", () => {
  test.each([
    [WHOLE_DAY, "always"],
    [0, "never"],
    [NIGHT, "night"],
    [1, "own"],
  ] as const)("%d is %s", (mask, name) => {
    expect(preset(mask)).toBe(name);
    if (name !== "own") expect(maskOf(name)).toBe(mask);
  });

  test("are stretches", () => {
    expect(stretches(NIGHT)).toEqual([
      [0, 6],
      [22, 24],
    ]);
    expect(stretches(0)).toEqual([]);
    expect(stretches(1 << 23)).toEqual([[23, 24]]);
  });
});

test.each([
  // Wednesday, 25 November 2026, 13:20.
  [[0, 0, 1 << 14, 0, 0, 0, 0], new Date(2026, 10, 25, 14)],
  [[0, 0, 1 << 13, 0, 0, 0, 0], new Date(2026, 11, 2, 13)],
  [[1, 0, 0, 0, 0, 0, 0], new Date(2026, 10, 30, 0)],
  [[0, 0, 0, 0, 0, 0, 1 << 23], new Date(2026, 10, 29, 23)],
  [[0, 0, 0, 0, 0, 0, 0], null],
])("with the hours %o work goes on at %s", (schedule, expected) => {
  expect(nextHour(schedule, new Date(2026, 10, 25, 13, 20))).toEqual(expected);
});

async function open(view = dashboard) {
  const node = await show(view);
  await press("page-limits");
  return node;
}

const isDisabled = (testid: string) => one(testid).getAttribute("aria-disabled") === "true";

describe("the page", () => {
  test("shows the limits in force and saves nothing unasked", async () => {
    const node = await open();
    expect(one("limit-cpu-number").textContent).toBe("50 %");
    expect((one("limit-memory") as HTMLInputElement).value).toBe("1");
    expect(isDisabled("limits-save")).toBe(true);
    await press("limits-save");
    expect(node.changeSettings).not.toHaveBeenCalled();
  });

  test("saves what was changed and says so when the node has it", async () => {
    const node = await open();
    await type("limit-cpu", "75");
    await type("limit-memory", "1.5");
    await press("limit-on-battery");
    expect(one("limits-said").textContent).toContain("not saved yet");
    const changed = { ...settings, cpu_percent: 75, memory_mib: 1536, on_battery: true };
    await press("limits-save");
    expect(node.changeSettings).toHaveBeenCalledExactlyOnceWith(changed);
    expect(one("limits-said").textContent).toContain("Saving");
    publish({ ...dashboard, settings: changed });
    expect(one("limits-said").textContent).toBe("Saved.");
    expect(isDisabled("limits-save")).toBe(true);
  });

  test("refuses a wrong number at its field and keeps what was typed", async () => {
    const node = await open();
    await type("limit-cores", "0");
    await press("limits-save");
    expect(node.changeSettings).not.toHaveBeenCalled();
    expect(one("limit-cores-error").textContent).toContain("from 1 to 64");
    expect(one("limit-cores").getAttribute("aria-invalid")).toBe("true");
    expect(one("limit-cores").getAttribute("aria-describedby")).toContain(one("limit-cores-error").id);
    expect(document.activeElement).toBe(one("limit-cores"));
    expect((one("limit-cores") as HTMLInputElement).value).toBe("0");
    await type("limit-cores", "2");
    expect(one("limit-cores-error").textContent).toBe("");
  });

  test("drops the changes when cancelled", async () => {
    const node = await open();
    await type("limit-cores", "0");
    await press("limits-save");
    await press("limits-cancel");
    expect((one("limit-cores") as HTMLInputElement).value).toBe("1");
    expect(one("limit-cores-error").textContent).toBe("");
    expect(node.changeSettings).not.toHaveBeenCalled();
  });

  test("keeps unsaved changes while another page is looked at", async () => {
    await open();
    await type("limit-cores", "3");
    await press("page-overview");
    await press("page-limits");
    expect((one("limit-cores") as HTMLInputElement).value).toBe("3");
    expect(one("limits-said").textContent).toContain("not saved yet");
  });

  test("says when the node refuses", async () => {
    const node = await open();
    node.changeSettings.mockRejectedValueOnce({ code: "settings-refused", sentence: "" });
    await type("limit-cores", "3");
    await press("limits-save");
    expect(one("limits-failed").textContent).toContain("out of its range");
    expect(isDisabled("limits-save")).toBe(false);
  });

  test("follows changes from elsewhere while nothing is edited", async () => {
    await open();
    publish({ ...dashboard, settings: { ...settings, cpu_percent: 20 } });
    expect(one("limit-cpu-number").textContent).toBe("20 %");
  });

  test("asks for the minutes only where they matter", async () => {
    await open();
    expect(all("limit-idle")).toHaveLength(0);
    await press("limit-only-when-idle");
    expect(all("limit-idle")).toHaveLength(1);
  });

  test("says at each setting what this computer does not tell", async () => {
    await open(fixtures.untold);
    for (const [code, setting] of [
      ["battery-unknown", "limit-on-battery"],
      ["metered-unknown", "limit-on-metered"],
      ["idle-unknown", "limit-only-when-idle"],
      ["heat-unknown", "limit-pause-when-hot"],
    ] as const) {
      const described = one(setting).getAttribute("aria-describedby") ?? "";
      expect(document.getElementById(described)?.contains(one(`untold-${code}`))).toBe(true);
    }
    expect(one("untold-cpu-unknown").textContent).toContain("does not tell");
    publish(dashboard);
    expect(root.querySelector("[data-testid^=untold-]")).toBeNull();
  });

  test("labels every field", async () => {
    await open(fixtures.untold);
    for (const field of one("limits").querySelectorAll("input, select")) {
      const label = field.closest("label") ?? root.querySelector(`label[for="${field.id}"]`);
      expect([field.outerHTML, label !== null || field.hasAttribute("aria-label")]).toEqual([
        field.outerHTML,
        true,
      ]);
    }
  });
});

describe("the hours of work", () => {
  test("are chosen by day and saved", async () => {
    const node = await open();
    expect(all("day-0")).toHaveLength(0);
    await press("hours-chosen");
    expect(all("day-6")).toHaveLength(1);
    await choose("day-0-preset", "night");
    expect(one("day-0-summary").textContent).toBe("00:00 to 06:00, 22:00 to 24:00");
    await choose("day-1-preset", "never");
    await press("limits-save");
    const schedule = [NIGHT, 0, WHOLE_DAY, WHOLE_DAY, WHOLE_DAY, WHOLE_DAY, WHOLE_DAY];
    expect(node.changeSettings).toHaveBeenCalledExactlyOnceWith({ ...settings, schedule });
  });

  test("can be single hours, with the arrow keys and one stop of the Tab key", async () => {
    const node = await open();
    await press("hours-chosen");
    await choose("day-2-preset", "never");
    await choose("day-2-preset", "own");
    const buttons = [...one("day-2").querySelectorAll<HTMLElement>(".hour")];
    expect(buttons).toHaveLength(24);
    expect(buttons.filter((button) => button.tabIndex === 0)).toHaveLength(1);
    expect(one("day-2-hour-9").getAttribute("aria-label")).toBe("Wednesday, 09:00 to 10:00");
    one("day-2-hour-0").focus();
    await key("ArrowRight");
    expect(document.activeElement).toBe(one("day-2-hour-1"));
    await key("End");
    await key("ArrowRight");
    expect(document.activeElement).toBe(one("day-2-hour-0"));
    await press("day-2-hour-9");
    await press("day-2-hour-10");
    expect(one("day-2-hour-9").getAttribute("aria-pressed")).toBe("true");
    expect(one("day-2-hour-9").textContent).toContain("✓");
    expect(one("day-2-summary").textContent).toBe("09:00 to 11:00");
    await press("day-2-hour-9");
    await press("limits-save");
    const saved = (node.changeSettings.mock.calls as unknown as [{ schedule: number[] }][])[0]?.[0];
    expect(saved?.schedule[2]).toBe(1 << 10);
  });

  test("of one day can be taken for all", async () => {
    await open();
    await press("hours-chosen");
    await choose("day-3-preset", "night");
    await press("day-3-copy");
    for (const day of [0, 1, 2, 4, 5, 6]) {
      expect((one(`day-${day}-preset`) as HTMLSelectElement).value).toBe("night");
    }
  });

  test("that leave no hour are allowed and warned about", async () => {
    await open();
    await press("hours-chosen");
    await choose("day-0-preset", "never");
    expect(one("hours-never").textContent).toBe("");
    await press("day-0-copy");
    expect(one("hours-never").textContent).toContain("no work ever runs");
    await press("hours-always");
    expect(isDisabled("limits-save")).toBe(true);
  });
});
