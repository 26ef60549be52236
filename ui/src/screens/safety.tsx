import { useEffect, useRef, useState } from "preact/hooks";
import type { Send } from "../app";
import type { CountersView } from "../generated/CountersView";
import type { DecisionView } from "../generated/DecisionView";
import type { GrantView } from "../generated/GrantView";
import type { NodeView } from "../generated/NodeView";
import type { SafetyView } from "../generated/SafetyView";
import type { WallView } from "../generated/WallView";
import { count, dateAndTime, moment, short, UNREADABLE } from "../format";
import type { NodeLink } from "../node";
import { Icon, type IconName } from "../parts/icon";
import { Details } from "../parts/question";
import { Rules, ruleSentence, TIERS } from "../parts/rules";
import { PageTitle } from "../parts/title";
import { coded, language, t } from "../translation";

const FEW = 8;

/** What protects the computer, what the program may do, and what was decided. */
export function Safety({ view, node, send }: { view: NodeView; node: NodeLink; send: Send }) {
  return (
    <div class="page" data-testid="safety">
      <PageTitle lead={t("safety.lead")}>{t("safety.title")}</PageTitle>
      <Grants grants={view.grants} onTakeBack={(id) => send(() => node.revoke(id))} />
      <Walls safety={view.safety} />
      <section class="card" aria-labelledby="rules-title">
        <h3 id="rules-title">{t("safety.rulesTitle")}</h3>
        <p class="card-sub">{t("safety.rulesLead", { version: view.policy.version })}</p>
        <div class="rule-columns">
          {TIERS.map((tier) => (
            <div key={tier} class="rule-column">
              <h4>{t(`safety.${tier}`)}</h4>
              <Rules rules={view.policy.rules} tier={tier} />
            </div>
          ))}
        </div>
      </section>
      <Decisions decisions={view.safety.decisions} />
      <Counters counters={view.safety.counters} />
    </div>
  );
}

function wallsSummary({ walls, walls_missing: missing }: SafetyView): string {
  if (walls.length === 0) return t("safety.wallsNone");
  if (missing) return t("safety.wallsMissing");
  return walls.every((wall) => wall.up)
    ? t("safety.wallsAllUp", { count: walls.length })
    : t("safety.wallsSome");
}

function Walls({ safety }: { safety: SafetyView }) {
  return (
    <section class="card" aria-labelledby="walls-title" data-testid="walls">
      <h3 id="walls-title">{t("safety.wallsTitle")}</h3>
      <p class={safety.walls_missing ? "field-error" : "card-sub"} data-testid="walls-summary">
        {wallsSummary(safety)}
      </p>
      {safety.walls.length === 0 ? null : (
        <ul class="walls">
          {safety.walls.map((wall) => (
            <Wall key={wall.code} wall={wall} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Wall({ wall: { code, up } }: { wall: WallView }) {
  const what = coded("wall", code);
  return (
    <li class="wall" data-testid="wall" data-up={up}>
      <span class={up ? "wall-state linked" : "wall-state wall-down"}>
        <Icon name={up ? "yes" : "no"} />
        {up ? t("safety.up") : t("safety.down")}
      </span>
      <span>
        <strong>{coded("wallName", code) ?? t("safety.wallUnknown", { code })}</strong>
        {what === null ? null : (
          <span class="wall-what">{up ? what : t("safety.wallDown", { what })}</span>
        )}
      </span>
    </li>
  );
}

function Grants({ grants, onTakeBack }: { grants: GrantView[]; onTakeBack: (id: string) => void }) {
  const [said, setSaid] = useState("");
  const heading = useRef<HTMLHeadingElement>(null);
  const before = useRef(grants.length);
  useEffect(() => {
    // The button that was pressed is gone with its permission; the focus must not be.
    const lost = document.activeElement === null || document.activeElement === document.body;
    if (grants.length < before.current && said !== "" && lost) {
      heading.current?.focus({ preventScroll: true });
    }
    before.current = grants.length;
  }, [grants.length, said]);
  return (
    <section class="card" aria-labelledby="grants-title" data-testid="grants">
      <h3 id="grants-title" ref={heading} tabIndex={-1}>
        {t("safety.grantsTitle")}
      </h3>
      <p role="status" class="visually-hidden" data-testid="grants-said">
        {said}
      </p>
      {grants.length === 0 ? (
        <p class="muted" data-testid="grants-none">
          {t("safety.grantsNone")}
        </p>
      ) : (
        <ul class="grants">
          {grants.map((grant) => (
            <li key={grant.id} class="grant" data-testid="grant">
              <div class="grant-what">
                <strong>{ruleText(grant)}</strong>
                <Details action={grant.action} />
                <p class="fine">{holds(grant)}</p>
              </div>
              <button
                type="button"
                class="button"
                data-testid="take-back"
                aria-label={t("safety.takeBackLabel", { what: ruleText(grant) })}
                onClick={() => {
                  setSaid(t("safety.takenBack"));
                  onTakeBack(grant.id);
                }}
              >
                {t("safety.takeBack")}
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function ruleText({ action }: GrantView): string {
  return coded("deed", action.name) ?? ruleSentence(action.name);
}

function at(ms: string | null): string {
  const date = moment(ms);
  return date === null ? UNREADABLE : dateAndTime(date, language());
}

function holds({ since_ms: since, until_ms: until, scope }: GrantView): string {
  if (until !== null) return t("safety.grantUntil", { since: at(since), until: at(until) });
  return t("safety.grantOpen", {
    since: at(since),
    scope: coded("scope", scope) ?? t("scope.unknown", { code: scope }),
  });
}

const VERDICTS: Record<string, IconName> = { permitted: "yes", asked: "question", denied: "no" };

function Decisions({ decisions }: { decisions: DecisionView[] }) {
  const [all, setAll] = useState(false);
  const shown = all ? decisions : decisions.slice(0, FEW);
  return (
    <section class="card" aria-labelledby="decisions-title">
      <h3 id="decisions-title">{t("safety.decisionsTitle")}</h3>
      {decisions.length === 0 ? (
        <p class="muted" data-testid="decisions-none">
          {t("safety.decisionsNone")}
        </p>
      ) : (
        <table class="receipts decisions" role="table" aria-labelledby="decisions-title">
          <thead role="rowgroup">
            <tr role="row">
              <th role="columnheader" scope="col">{t("safety.when")}</th>
              <th role="columnheader" scope="col">{t("safety.what")}</th>
              <th role="columnheader" scope="col">{t("safety.verdict")}</th>
              <th role="columnheader" scope="col">{t("safety.correlation")}</th>
            </tr>
          </thead>
          <tbody role="rowgroup">
            {shown.map((decision, row) => (
              <Decision key={`${decision.at_ms}-${row}`} decision={decision} />
            ))}
          </tbody>
        </table>
      )}
      {decisions.length > FEW ? (
        <button
          type="button"
          class="button button-plain"
          data-testid="more-decisions"
          aria-expanded={all}
          onClick={() => setAll(!all)}
        >
          {all ? t("safety.showFewer") : t("safety.showAll", { count: decisions.length })}
        </button>
      ) : null}
    </section>
  );
}

function Decision({ decision }: { decision: DecisionView }) {
  const { action, verdict, rule, correlation } = decision;
  return (
    <tr role="row" data-testid="decision" data-verdict={verdict}>
      <td role="cell">{at(decision.at_ms)}</td>
      <td role="cell">{coded("deed", action) ?? action}</td>
      <td role="cell" class={`decision-verdict decision-${verdict}`}>
        <Icon name={VERDICTS[verdict] ?? "warn"} />
        {coded("verdict", verdict) ?? verdict}
        <span class="muted">: {coded("reason", rule) ?? rule}</span>
      </td>
      <td role="cell">
        {correlation === null ? UNREADABLE : <Correlation text={correlation} />}
      </td>
    </tr>
  );
}

function Correlation({ text }: { text: string }) {
  const number = /^question (\d{1,20})$/.exec(text)?.[1];
  if (number !== undefined) return <>{t("safety.questionNumber", { number })}</>;
  return <code title={text}>{short(text, 12)}</code>;
}

const COUNTERS = ["permitted", "denied", "confirmed", "refused", "timed_out", "orders_refused"] as const;

function Counters({ counters }: { counters: CountersView }) {
  return (
    <section class="card" aria-labelledby="counters-title">
      <h3 id="counters-title">{t("safety.countersTitle")}</h3>
      <dl class="facts">
        {COUNTERS.map((name) => (
          <div key={name}>
            <dt>{t(`safety.${name}`)}</dt>
            <dd data-testid={`counter-${name}`}>{count(counters[name], language())}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
