import { useRef, useState } from "preact/hooks";
import { DAYS, HOURS, hasHour, maskOf, preset, type Preset, stretches, WHOLE_DAY } from "../limits";
import { language, t } from "../translation";

const PRESETS = [
  ["always", "limits.presetAlways"],
  ["never", "limits.presetNever"],
  ["night", "limits.presetNight"],
  ["own", "limits.presetOwn"],
] as const;
/** 1 January 2024 was a Monday. */
const MONDAY = (day: number) => new Date(2024, 0, 1 + day);

function dayName(day: number): string {
  return new Intl.DateTimeFormat(language(), { weekday: "long" }).format(MONDAY(day));
}

function clock(hour: number): string {
  return `${String(hour).padStart(2, "0")}:00`;
}

function summary(mask: number): string {
  if (mask === WHOLE_DAY) return t("limits.summaryAlways");
  if (mask === 0) return t("limits.summaryNever");
  return stretches(mask)
    .map(([from, to]) => t("limits.range", { from: clock(from), to: clock(to) }))
    .join(", ");
}

interface Props {
  schedule: readonly number[] | null;
  onChange: (schedule: readonly number[] | null) => void;
}

/** Hours of work: at any time, or chosen for each day. */
export function Hours({ schedule, onChange }: Props) {
  // What was chosen stays while the volunteer tries "at any time".
  const chosen = useRef(schedule ?? Array.from({ length: DAYS }, () => WHOLE_DAY));
  if (schedule !== null) chosen.current = schedule;
  const change = (day: number, mask: number) =>
    onChange(chosen.current.map((before, at) => (at === day ? mask : before)));
  const anyTime = schedule === null;
  return (
    <fieldset class="choices" data-testid="hours">
      <legend>
        <h3>{t("limits.hours")}</h3>
      </legend>
      <label class="choice">
        <input
          type="radio"
          name="hours"
          data-testid="hours-always"
          checked={anyTime}
          onChange={() => onChange(null)}
        />
        {t("limits.hoursAlways")}
      </label>
      <label class="choice">
        <input
          type="radio"
          name="hours"
          data-testid="hours-chosen"
          checked={!anyTime}
          onChange={() => onChange(chosen.current)}
        />
        {t("limits.hoursChosen")}
      </label>
      {schedule === null ? null : (
        <div class="week">
          <p class="fine">{t("limits.hoursHint")}</p>
          {schedule.map((mask, day) => (
            <Day
              key={day}
              day={day}
              mask={mask}
              onChange={(next) => change(day, next)}
              onCopy={() => onChange(schedule.map(() => mask))}
              differs={schedule.some((other) => other !== mask)}
            />
          ))}
          <p role="status" class="field-warning" data-testid="hours-never">
            {schedule.every((mask) => mask === 0) ? t("limits.neverWarning") : ""}
          </p>
        </div>
      )}
    </fieldset>
  );
}

interface DayProps {
  day: number;
  mask: number;
  differs: boolean;
  onChange: (mask: number) => void;
  onCopy: () => void;
}

function Day({ day, mask, differs, onChange, onCopy }: DayProps) {
  const [own, setOwn] = useState(false);
  const name = dayName(day);
  const shown = own ? "own" : preset(mask);
  const choose = (next: Preset) => {
    setOwn(next === "own");
    if (next !== "own") onChange(maskOf(next));
  };
  return (
    <div class="day" role="group" aria-label={name} data-testid={`day-${day}`}>
      <div class="day-line">
        <strong class="day-name">{name}</strong>
        <select
          class="input"
          aria-label={t("limits.preset", { day: name })}
          data-testid={`day-${day}-preset`}
          value={shown}
          onChange={(event) => choose(event.currentTarget.value as Preset)}
        >
          {PRESETS.map(([value, text]) => (
            <option key={value} value={value} selected={value === shown}>
              {t(text)}
            </option>
          ))}
        </select>
        <span class="muted" data-testid={`day-${day}-summary`}>
          {shown === "own" || shown === "night" ? summary(mask) : ""}
        </span>
        {differs ? (
          <button
            type="button"
            class="button button-plain button-small day-copy"
            data-testid={`day-${day}-copy`}
            aria-label={`${t("limits.copyDay")}: ${name}`}
            onClick={onCopy}
          >
            {t("limits.copyDay")}
          </button>
        ) : null}
      </div>
      {shown === "own" ? (
        <>
          <HourButtons day={day} name={name} mask={mask} onChange={onChange} />
          <p class="fine">{t("limits.hourLegend")}</p>
        </>
      ) : null}
    </div>
  );
}

interface HourProps {
  day: number;
  name: string;
  mask: number;
  onChange: (mask: number) => void;
}

/** One button for each hour; together they are one stop of the Tab key. */
function HourButtons({ day, name, mask, onChange }: HourProps) {
  const [at, setAt] = useState(0);
  const group = useRef<HTMLDivElement>(null);
  const go = (hour: number) => {
    const next = (hour + HOURS) % HOURS;
    setAt(next);
    group.current?.querySelectorAll("button")[next]?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const places: Record<string, number> = {
      ArrowRight: at + 1,
      ArrowLeft: at - 1,
      ArrowDown: at + 12,
      ArrowUp: at - 12,
      Home: 0,
      End: HOURS - 1,
    };
    const place = places[event.key];
    if (place === undefined) return;
    event.preventDefault();
    go(place);
  };
  return (
    <div
      ref={group}
      class="day-hours"
      role="group"
      aria-label={t("limits.hourGroup", { day: name })}
      onKeyDown={onKeyDown}
    >
      {Array.from({ length: HOURS }, (_, hour) => {
        const on = hasHour(mask, hour);
        return (
          <button
            key={hour}
            type="button"
            class="hour"
            data-testid={`day-${day}-hour-${hour}`}
            tabIndex={hour === at ? 0 : -1}
            aria-pressed={on}
            aria-label={t("limits.hour", { day: name, from: clock(hour), to: clock(hour + 1) })}
            onFocus={() => setAt(hour)}
            onClick={() => onChange(mask ^ (1 << hour))}
          >
            <span aria-hidden="true">{hour}</span>
            <span aria-hidden="true" class="hour-mark">
              {on ? "✓" : ""}
            </span>
          </button>
        );
      })}
    </div>
  );
}
