/** The volunteer's limits while they are being edited: numbers are text until they are saved. */

import type { SettingsView } from "./generated/SettingsView";
import { language } from "./translation";

export const HOURS = 24;
export const DAYS = 7;
export const WHOLE_DAY = (1 << HOURS) - 1;
/** From 22:00 and until 6:00. */
export const NIGHT = (3 << 22) | ((1 << 6) - 1);

const MIB_PER_GB = 1024;

/** What can be typed, with the range in the unit that is shown. */
export const RANGES = {
  cores: { from: 1, to: 64, whole: true },
  memory: { from: 0.25, to: 1024, whole: false },
  disk: { from: 0.25, to: 16384, whole: false },
  idle: { from: 1, to: 1440, whole: true },
} as const;

export type Field = keyof typeof RANGES;

export interface Form {
  cpu: number;
  cores: string;
  /** Gigabytes. */
  memory: string;
  /** Gigabytes. */
  disk: string;
  onlyWhenIdle: boolean;
  /** Minutes. */
  idle: string;
  onBattery: boolean;
  onMetered: boolean;
  pauseWhenHot: boolean;
  /** A mask of hours for each day from Monday on, or work at any time. */
  schedule: readonly number[] | null;
}

function gigabytes(mib: number): string {
  const format = new Intl.NumberFormat(language(), { maximumFractionDigits: 3, useGrouping: false });
  return format.format(mib / MIB_PER_GB);
}

export function formOf(settings: SettingsView): Form {
  return {
    cpu: settings.cpu_percent,
    cores: String(settings.cores),
    memory: gigabytes(settings.memory_mib),
    disk: gigabytes(settings.disk_mib),
    onlyWhenIdle: settings.only_when_idle,
    idle: String(settings.idle_minutes),
    onBattery: settings.on_battery,
    onMetered: settings.on_metered,
    pauseWhenHot: settings.pause_when_hot,
    schedule: settings.schedule,
  };
}

/** The number that a text means, when it is one and in range. A decimal comma is one too. */
export function read(field: Field, text: string): number | null {
  const { from, to, whole } = RANGES[field];
  const plain = text.trim().replace(",", ".");
  if (!(whole ? /^\d{1,6}$/ : /^\d{1,6}(\.\d{1,6})?$/).test(plain)) return null;
  const number = Number(plain);
  return number >= from && number <= to ? number : null;
}

/** The fields that hold no number in range. */
export function wrong(form: Form): Field[] {
  return (Object.keys(RANGES) as Field[]).filter((field) => read(field, form[field]) === null);
}

/**
 * The settings that a form means; `null` when a field is wrong. A size that was not touched stays
 * exactly what it was, however it is shown.
 */
export function settingsOf(form: Form, before: SettingsView): SettingsView | null {
  const cores = read("cores", form.cores);
  const memory = read("memory", form.memory);
  const disk = read("disk", form.disk);
  const idle = read("idle", form.idle);
  if (cores === null || memory === null || disk === null || idle === null) return null;
  const size = (text: string, gb: number, mib: number) =>
    text === gigabytes(mib) ? mib : Math.round(gb * MIB_PER_GB);
  return {
    cpu_percent: form.cpu,
    cores,
    memory_mib: size(form.memory, memory, before.memory_mib),
    disk_mib: size(form.disk, disk, before.disk_mib),
    only_when_idle: form.onlyWhenIdle,
    idle_minutes: idle,
    on_battery: form.onBattery,
    on_metered: form.onMetered,
    pause_when_hot: form.pauseWhenHot,
    schedule: form.schedule === null ? null : [...form.schedule],
  };
}

export function same(one: SettingsView | null, other: SettingsView): boolean {
  return one !== null && JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
}

function sorted(settings: SettingsView) {
  return Object.entries(settings).sort(([a], [b]) => a.localeCompare(b));
}

export type Preset = "always" | "never" | "night" | "own";

export function preset(mask: number): Preset {
  if (mask === WHOLE_DAY) return "always";
  if (mask === 0) return "never";
  return mask === NIGHT ? "night" : "own";
}

export function maskOf(preset: Exclude<Preset, "own">): number {
  return { always: WHOLE_DAY, never: 0, night: NIGHT }[preset];
}

export function hasHour(mask: number, hour: number): boolean {
  return ((mask >> hour) & 1) === 1;
}

/** The hours of a day as stretches from one hour to another, which is not part of it any more. */
export function stretches(mask: number): [number, number][] {
  const found: [number, number][] = [];
  for (let hour = 0; hour < HOURS; hour += 1) {
    if (!hasHour(mask, hour)) continue;
    const last = found.at(-1);
    if (last?.[1] === hour) last[1] = hour + 1;
    else found.push([hour, hour + 1]);
  }
  return found;
}

/** When the next hour with work begins by this computer's clock; `null` when there is none in a week. */
export function nextHour(schedule: readonly number[], now: Date): Date | null {
  for (let step = 1; step <= DAYS * HOURS; step += 1) {
    const at = new Date(now.getFullYear(), now.getMonth(), now.getDate(), now.getHours() + step);
    // Monday is the first day.
    if (hasHour(schedule[(at.getDay() + 6) % DAYS] ?? 0, at.getHours())) return at;
  }
  return null;
}
