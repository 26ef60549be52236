import { useEffect, useRef, useState } from "preact/hooks";
import type { SettingsView } from "../generated/SettingsView";
import { type Field, type Form, formOf, RANGES, same, settingsOf, wrong } from "../limits";
import { asProblem, type NodeLink } from "../node";
import { Hours } from "../parts/hours";
import { PageTitle } from "../parts/title";
import { coded, language, problemSentence, t } from "../translation";

interface Props {
  settings: SettingsView;
  untold: string[];
  node: NodeLink;
  /** What was edited and not saved, kept while another page is looked at. */
  draft: Form | null;
  onDraft: (draft: Form | null) => void;
}

/** How much of the computer may be used, and when. */
export function Limits({ settings, untold, node, draft, onDraft }: Props) {
  const form = draft ?? formOf(settings);
  const wanted = settingsOf(form, settings);
  const changed = draft !== null && !same(wanted, settings);
  const [marked, setMarked] = useState<Field[]>([]);
  const [state, setState] = useState<"quiet" | "saving" | "saved" | "cancelled" | "notSaved">("quiet");
  const [failure, setFailure] = useState<string | null>(null);
  const fields = useRef<HTMLFormElement>(null);

  useEffect(() => {
    // The node has taken them: from now on its own are shown.
    if (state === "saving" && !changed) {
      onDraft(null);
      setState("saved");
    }
  }, [state, changed, onDraft]);

  const change = (part: Partial<Form>) => {
    const next = { ...form, ...part };
    onDraft(next);
    // A mark goes as soon as the field is right; a new one comes only with the next attempt to save.
    setMarked(marked.filter((field) => wrong(next).includes(field)));
    setState("quiet");
    setFailure(null);
  };

  const save = () => {
    setFailure(null);
    const bad = wrong(form);
    setMarked(bad);
    if (wanted === null) {
      setState("notSaved");
      fields.current?.querySelector<HTMLElement>(`[data-testid="limit-${bad[0]}"]`)?.focus();
      return;
    }
    setState("saving");
    node.changeSettings(wanted).catch((error: unknown) => {
      setState("quiet");
      setFailure(t("limits.saveFailed", { reason: problemSentence(asProblem(error)) }));
    });
  };

  const cancel = () => {
    onDraft(null);
    setMarked([]);
    setFailure(null);
    setState("cancelled");
  };

  const said = state === "quiet" ? (changed ? t("limits.unsaved") : "") : t(`limits.${state}`);
  const told = (code: string) => !untold.includes(code);
  const number = { form, marked, onChange: change };
  return (
    <form
      ref={fields}
      class="page"
      noValidate
      data-testid="limits"
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
    >
      <PageTitle lead={t("limits.lead")}>{t("limits.title")}</PageTitle>
      <div class="limits-columns">
        <section class="card" aria-labelledby="limits-much">
          <h3 id="limits-much">{t("limits.muchTitle")}</h3>
          <div class="field">
            <label for="limit-cpu">{t("limits.cpu")}</label>
            <div class="slider">
              <input
                id="limit-cpu"
                type="range"
                min={10}
                max={100}
                step={5}
                data-testid="limit-cpu"
                aria-describedby="limit-cpu-hint"
                aria-valuetext={t("limits.percent", { value: form.cpu })}
                value={form.cpu}
                onInput={(event) => change({ cpu: Number(event.currentTarget.value) })}
              />
              <output for="limit-cpu" data-testid="limit-cpu-number">
                {t("limits.percent", { value: form.cpu })}
              </output>
            </div>
            <p id="limit-cpu-hint" class="fine">
              {t("limits.cpuHint")}
            </p>
            <Untold code="cpu-unknown" told={told("cpu-unknown")} />
          </div>
          <NumberField field="cores" label={t("limits.cores")} hint={t("limits.coresHint")} {...number} />
          <NumberField
            field="memory"
            label={t("limits.memory")}
            hint={t("limits.memoryHint")}
            unit={t("limits.gb")}
            {...number}
          />
          <NumberField
            field="disk"
            label={t("limits.disk")}
            hint={t("limits.diskHint")}
            unit={t("limits.gb")}
            {...number}
          />
        </section>
        <section class="card" aria-labelledby="limits-when">
          <h3 id="limits-when">{t("limits.whenTitle")}</h3>
          <Switch
            name="only-when-idle"
            label={t("limits.onlyWhenIdle")}
            on={form.onlyWhenIdle}
            onChange={(onlyWhenIdle) => change({ onlyWhenIdle })}
            untold={told("idle-unknown") ? null : "idle-unknown"}
          />
          {form.onlyWhenIdle || marked.includes("idle") ? (
            <NumberField
              field="idle"
              label={t("limits.idleMinutes")}
              unit={t("limits.minutes")}
              inner
              {...number}
            />
          ) : null}
          <Switch
            name="on-battery"
            label={t("limits.onBattery")}
            hint={t("limits.onBatteryHint")}
            on={form.onBattery}
            onChange={(onBattery) => change({ onBattery })}
            untold={told("battery-unknown") ? null : "battery-unknown"}
          />
          <Switch
            name="on-metered"
            label={t("limits.onMetered")}
            hint={t("limits.onMeteredHint")}
            on={form.onMetered}
            onChange={(onMetered) => change({ onMetered })}
            untold={told("metered-unknown") ? null : "metered-unknown"}
          />
          <Switch
            name="pause-when-hot"
            label={t("limits.pauseWhenHot")}
            on={form.pauseWhenHot}
            onChange={(pauseWhenHot) => change({ pauseWhenHot })}
            untold={told("heat-unknown") ? null : "heat-unknown"}
          />
        </section>
      </div>
      <section class="card">
        <Hours schedule={form.schedule} onChange={(schedule) => change({ schedule })} />
      </section>
      <div class="decision" role="group" aria-label={t("limits.decisionLabel")}>
        <p class="decision-said" role="status" data-testid="limits-said">
          {said}
        </p>
        <p class="decision-said field-error" role="alert" data-testid="limits-failed">
          {failure}
        </p>
        <div class="decision-actions">
          <button
            type="button"
            class="button"
            data-testid="limits-cancel"
            aria-disabled={!changed}
            onClick={() => {
              if (changed) cancel();
            }}
          >
            {t("limits.cancel")}
          </button>
          <button
            type="submit"
            class="button button-primary"
            data-testid="limits-save"
            aria-disabled={!changed || state === "saving"}
            onClick={(event) => {
              if (!changed || state === "saving") event.preventDefault();
            }}
          >
            {t("limits.save")}
          </button>
        </div>
      </div>
    </form>
  );
}

interface NumberProps {
  field: Field;
  label: string;
  hint?: string;
  unit?: string;
  /** Belongs to the setting above it. */
  inner?: boolean;
  form: Form;
  marked: Field[];
  onChange: (part: Partial<Form>) => void;
}

function NumberField({ field, label, hint, unit, inner = false, form, marked, onChange }: NumberProps) {
  const id = `limit-${field}`;
  const bad = marked.includes(field);
  const range = RANGES[field];
  const shown = new Intl.NumberFormat(language());
  const sentence = t(range.whole ? "limits.rangeWhole" : "limits.rangeNumber", {
    from: shown.format(range.from),
    to: shown.format(range.to),
  });
  return (
    <div class={inner ? "field field-inner" : "field"}>
      <label for={id}>{label}</label>
      <span class="field-input">
        <input
          id={id}
          class="input"
          type="text"
          inputMode={range.whole ? "numeric" : "decimal"}
          autoComplete="off"
          maxLength={10}
          data-testid={id}
          aria-invalid={bad}
          aria-describedby={`${id}-error ${id}-hint`}
          value={form[field]}
          onInput={(event) => onChange({ [field]: event.currentTarget.value })}
        />
        {unit}
      </span>
      <p id={`${id}-error`} class="field-error" data-testid={`${id}-error`}>
        {bad ? sentence : ""}
      </p>
      {hint === undefined ? null : (
        <p id={`${id}-hint`} class="fine">
          {hint}
        </p>
      )}
    </div>
  );
}

interface SwitchProps {
  name: string;
  label: string;
  hint?: string;
  on: boolean;
  onChange: (on: boolean) => void;
  untold: string | null;
}

function Switch({ name, label, hint, on, onChange, untold }: SwitchProps) {
  const id = `limit-${name}`;
  return (
    <div class="field">
      <label class="choice">
        <input
          type="checkbox"
          data-testid={id}
          aria-describedby={`${id}-hint`}
          checked={on}
          onChange={(event) => onChange(event.currentTarget.checked)}
        />
        {label}
      </label>
      <div id={`${id}-hint`} class="choice-hints">
        {hint === undefined ? null : <p class="fine">{hint}</p>}
        {untold === null ? null : <Untold code={untold} told={false} />}
      </div>
    </div>
  );
}

/** A limit that cannot act here must not look as if it did. */
function Untold({ code, told }: { code: string; told: boolean }) {
  return told ? null : (
    <p class="field-warning" data-testid={`untold-${code}`}>
      {coded("untold", code) ?? code}
    </p>
  );
}
