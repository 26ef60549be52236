/** Numbers, times and identities as people read them. 64-bit numbers stay text throughout. */

/** Shown for a value that cannot be read. */
export const UNREADABLE = "–";

interface Marks {
  decimal: string;
  group: string;
}

function marks(language: string): Marks {
  const parts = new Intl.NumberFormat(language).formatToParts(1234567.8);
  const mark = (type: string) => parts.find((part) => part.type === type)?.value;
  return { decimal: mark("decimal") ?? ".", group: mark("group") ?? "" };
}

function grouped(digits: string, group: string): string {
  const plain = digits.replace(/^0+(?=\d)/, "");
  return plain.replace(/\B(?=(\d{3})+$)/g, group);
}

/**
 * An amount such as `1234.500000` with the decimal mark of the language: trailing zeros are left
 * out, but two decimals always stay.
 */
export function amount(text: string, language: string): string {
  const match = /^(-?)(\d{1,40})(?:\.(\d{1,18}))?$/.exec(text);
  if (match === null) return UNREADABLE;
  const [, sign = "", whole = "0", decimals = ""] = match;
  const { decimal, group } = marks(language);
  const kept = decimals.replace(/0+$/, "").padEnd(2, "0");
  return `${sign === "" ? "" : "−"}${grouped(whole, group)}${decimal}${kept}`;
}

/** A two-decimal figure such as a merit factor, with the decimal mark of the language. */
export function decimal(text: string, language: string): string {
  return /^\d{1,12}(\.\d{1,6})?$/.test(text) ? text.replace(".", marks(language).decimal) : UNREADABLE;
}

/** A count such as `12345` with the grouping mark of the language. */
export function count(text: string, language: string): string {
  return /^\d{1,40}$/.test(text) ? grouped(text, marks(language).group) : UNREADABLE;
}

/** The moment that a text of milliseconds since 1970 names, if a calendar can show it. */
export function moment(atMs: string | null): Date | null {
  if (atMs === null || !/^\d{1,15}$/.test(atMs)) return null;
  const date = new Date(Number(atMs));
  return Number.isNaN(date.getTime()) ? null : date;
}

export function dateAndTime(date: Date, language: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(date);
}

export function dateOnly(date: Date, language: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: "long" }).format(date);
}

export function timeOnly(date: Date, language: string): string {
  return new Intl.DateTimeFormat(language, { timeStyle: "short" }).format(date);
}

/** The time alone when the moment is today; with its date when it is another day. */
export function nearby(date: Date, now: Date, language: string): string {
  return sameDay(date, now) ? timeOnly(date, language) : dateAndTime(date, language);
}

export function sameDay(one: Date, other: Date): boolean {
  return one.toDateString() === other.toDateString();
}

/** The beginning of a long identity, enough to tell it from its neighbours. */
export function short(id: string, length = 10): string {
  return id.length <= length + 2 ? id : `${id.slice(0, length)}…`;
}
