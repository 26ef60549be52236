import type { ComponentChildren } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ActionView } from "../generated/ActionView";
import type { QuestionView } from "../generated/QuestionView";
import { moment, nearby, short } from "../format";
import { asProblem, type NodeLink } from "../node";
import { coded, inOurLanguage, language, problemSentence, t } from "../translation";
import { Icon } from "./icon";

/** A question that has just appeared takes no "yes" yet: the click may have been meant for what was there. */
export const SETTLE_MS = 700;
/** How often the minutes left are drawn anew. */
const REDRAW_MS = 15_000;
const MINUTE_MS = 60_000;
/** Shortest first. */
const SCOPES = ["once", "day", "campaign"];

interface Props {
  question: QuestionView;
  /** Its place among the open questions, from 1. */
  at: number;
  count: number;
  node: NodeLink;
  /** Closes without an answer. */
  onLater: () => void;
}

/**
 * A question about something that needs the volunteer's "yes". "No" has the focus, Enter never
 * says "yes", Escape decides nothing.
 */
export function Question({ question, at, count, node, onLater }: Props) {
  const { action } = question;
  const dialog = useRef<HTMLDialogElement>(null);
  const no = useRef<HTMLButtonElement>(null);
  const shownAt = useRef(Date.now());
  const [scope, setScope] = useState(() => shortest(question.scopes));
  const [sending, setSending] = useState(false);
  const [said, setSaid] = useState<string | null>(null);
  const title = useId();
  const what = useId();

  useLayoutEffect(() => {
    const element = dialog.current;
    // What had the focus gets it back.
    const before = document.activeElement;
    element?.showModal();
    no.current?.focus({ preventScroll: true });
    if (element !== null) element.scrollTop = 0;
    shownAt.current = Date.now();
    return () => {
      element?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  }, []);

  const answer = (yes: boolean) => {
    if (sending || (yes && Date.now() - shownAt.current < SETTLE_MS)) return;
    setSending(true);
    setSaid(t("question.sending"));
    // When it is noted, the question is gone from the next view.
    node.answer(question.id, yes, yes ? scope : null).catch((error: unknown) => {
      setSending(false);
      setSaid(t("app.commandFailed", { reason: problemSentence(asProblem(error)) }));
    });
  };

  return (
    <dialog
      ref={dialog}
      class="question"
      aria-labelledby={title}
      aria-describedby={what}
      data-testid="question"
      data-question={question.id}
      onCancel={(event) => {
        event.preventDefault();
        onLater();
      }}
    >
      <div class="question-body">
        <p class="question-count">
          <Icon name="question" />
          {count > 1 ? t("question.count", { at, count }) : t("question.one")}
        </p>
        <h2 id={title} class="question-title">
          {coded("ask", action.name) ?? t("ask.unknown", { name: action.name })}
        </h2>
        <div id={what} class="question-what">
          <Details action={action} />
          <p>
            <strong>{t("question.why")}:</strong> {coded("askWhy", action.name) ?? t("askWhy.unknown")}
          </p>
          <p>
            <strong>{t("question.risk")}:</strong> {coded("askRisk", action.name) ?? t("askRisk.unknown")}
          </p>
        </div>
        <Scopes scopes={question.scopes} chosen={scope} onChoose={setScope} />
        <Silence question={question} />
        <p class="fine">{t("question.takeBack")}</p>
      </div>
      <div class="question-actions">
        <button
          type="button"
          class="button button-plain"
          data-testid="question-later"
          onClick={onLater}
        >
          {t("question.later")}
        </button>
        <button
          type="button"
          class="button"
          data-testid="question-yes"
          aria-disabled={sending}
          onKeyDown={(event) => {
            if (event.key !== "Enter") return;
            event.preventDefault();
            setSaid(t("question.enterHint"));
          }}
          onClick={() => answer(true)}
        >
          {coded("yes", scope) ?? t("yes.unknown", { code: scope })}
        </button>
        <button
          ref={no}
          type="button"
          class="button button-primary"
          data-testid="question-no"
          aria-disabled={sending}
          onClick={() => answer(false)}
        >
          {t("question.no")}
        </button>
        <p class="question-said" role="status" data-testid="question-said">
          {said}
        </p>
      </div>
    </dialog>
  );
}

export function shortest(scopes: string[]): string {
  return SCOPES.find((scope) => scopes.includes(scope)) ?? scopes[0] ?? "once";
}

function scopeText(code: string): string {
  return coded("scope", code) ?? t("scope.unknown", { code });
}

interface ScopesProps {
  scopes: string[];
  chosen: string;
  onChoose: (scope: string) => void;
}

function Scopes({ scopes, chosen, onChoose }: ScopesProps) {
  const sorted = [...scopes].sort((a, b) => SCOPES.indexOf(a) - SCOPES.indexOf(b));
  if (sorted.length < 2) {
    return <p data-testid="scope-only">{t("question.holds", { scope: scopeText(chosen) })}</p>;
  }
  return (
    <fieldset class="choices">
      <legend>{t("question.scopeTitle")}</legend>
      {sorted.map((scope) => (
        <label key={scope} class="choice">
          <input
            type="radio"
            name="scope"
            data-testid={`scope-${scope}`}
            checked={scope === chosen}
            onChange={() => onChoose(scope)}
          />
          {scopeText(scope)}
        </label>
      ))}
    </fieldset>
  );
}

/** Until when silence means "no". The minutes are for the eye only: no screen reader counts along. */
function Silence({ question }: { question: QuestionView }) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const redraw = setInterval(() => setNow(Date.now()), REDRAW_MS);
    return () => clearInterval(redraw);
  }, []);
  const until = moment(question.expires_at_ms);
  if (until === null) return null;
  const left = Math.max(0, Math.ceil((until.getTime() - now) / MINUTE_MS));
  return (
    <p class="question-silence" data-testid="question-silence">
      {t("question.silence", { time: nearby(until, new Date(now), language()) })}{" "}
      <span class="muted" aria-hidden="true">
        ({t("question.left", { count: left })})
      </span>
    </p>
  );
}

/** What exactly is asked for: everything that the question carries. */
export function Details({ action }: { action: ActionView }) {
  const title = inOurLanguage(action.title, "");
  const fromOrTo = action.name === "fetch-outside-input" ? t("question.from") : t("question.to");
  const rows: [string, ComponentChildren][] = [];
  if (title !== "") rows.push([t("question.campaign"), title]);
  else if (action.campaign !== null) rows.push([t("question.campaign"), <Id id={action.campaign} />]);
  if (action.steward !== null) rows.push([t("question.steward"), <Id id={action.steward} />]);
  if (action.host !== null) rows.push([fromOrTo, <code>{action.host}</code>]);
  if (action.folder !== null) rows.push([t("question.folder"), <code>{action.folder}</code>]);
  if (action.address !== null) rows.push([t("question.address"), <code>{action.address}</code>]);
  if (action.memory_mib !== null) rows.push([t("question.memory"), `${action.memory_mib} MB`]);
  if (action.disk_mib !== null) rows.push([t("question.disk"), `${action.disk_mib} MB`]);
  if (action.cpu_percent !== null) {
    rows.push([t("question.cpu"), t("limits.percent", { value: action.cpu_percent })]);
  }
  if (rows.length === 0) return null;
  return (
    <dl class="details">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Id({ id }: { id: string }) {
  return <code title={id}>{short(id, 12)}</code>;
}
