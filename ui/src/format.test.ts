import { describe, expect, test } from "vitest";
import { amount, count, decimal, moment, short } from "./format";

describe("amounts", () => {
  test.each([
    ["0.000000", "en", "0.00"],
    ["1.500000", "en", "1.50"],
    ["1.500000", "de", "1,50"],
    ["0.125000", "de", "0,125"],
    ["0.000001", "en", "0.000001"],
    ["7", "en", "7.00"],
    ["1234.500000", "en", "1,234.50"],
    ["1234567.500000", "de", "1.234.567,50"],
    ["-3.250000", "en", "−3.25"],
    // Beyond what a JavaScript number can hold.
    ["18446744073709.551615", "en", "18,446,744,073,709.551615"],
    ["9007199254740993.000000", "de", "9.007.199.254.740.993,00"],
    ["", "en", "–"],
    ["1e5", "en", "–"],
    ["NaN", "en", "–"],
    ["1.2.3", "en", "–"],
  ])("%s in %s is %s", (text, language, shown) => {
    expect(amount(text, language)).toBe(shown);
  });
});

test("counts are grouped and never rounded", () => {
  expect(count("18446744073709551615", "en")).toBe("18,446,744,073,709,551,615");
  expect(count("12", "de")).toBe("12");
  expect(count("-1", "en")).toBe("–");
});

test("merit factors get the decimal mark of the language", () => {
  expect(decimal("8.18", "de")).toBe("8,18");
  expect(decimal("8.18", "en")).toBe("8.18");
  expect(decimal("<b>", "en")).toBe("–");
});

test("a moment no calendar can show is no moment", () => {
  expect(moment("1764000000000")?.toISOString()).toBe("2025-11-24T16:00:00.000Z");
  expect(moment("18446744073709551615")).toBeNull();
  expect(moment("soon")).toBeNull();
  expect(moment(null)).toBeNull();
});

test("a short identity stays whole", () => {
  expect(short("abcdef")).toBe("abcdef");
  expect(short("0123456789abcdef")).toBe("0123456789…");
});
