import { useEffect, useRef, useState } from "preact/hooks";
import type { PolicyView } from "../generated/PolicyView";
import { short } from "../format";
import { Rules } from "../parts/rules";
import { t } from "../translation";

interface Props {
  policy: PolicyView;
  onAgree: (policyVersion: number) => void;
}

/** What the volunteer is asked to agree to. Nothing connects and nothing runs before. */
export function Consent({ policy, onAgree }: Props) {
  const [declined, setDeclined] = useState(false);
  return declined ? (
    <Declined onReadAgain={() => setDeclined(false)} />
  ) : (
    <Question policy={policy} onAgree={onAgree} onDecline={() => setDeclined(true)} />
  );
}

function Question({ policy, onAgree, onDecline }: Props & { onDecline: () => void }) {
  const notNow = useRef<HTMLButtonElement>(null);
  // The safe answer has the focus: pressing Enter as the page opens must not be consent.
  useEffect(() => notNow.current?.focus({ preventScroll: true }), []);
  return (
    <article class="consent">
      <header class="consent-head">
        <Brand />
        <h1>{t("consent.title")}</h1>
        <p class="lead">{t("consent.lead")}</p>
      </header>
      <div class="consent-grid">
        <section class="card">
          <h2>{t("consent.mayTitle")}</h2>
          <Rules rules={policy.rules} tier="low" />
        </section>
        <div class="consent-stack">
          <section class="card">
            <h2>{t("consent.asksTitle")}</h2>
            <Rules rules={policy.rules} tier="medium" />
          </section>
          <section class="card">
            <h2>{t("consent.neverTitle")}</h2>
            <Rules rules={policy.rules} tier="high" />
          </section>
        </div>
        <section class="card">
          <h2>{t("consent.wallsTitle")}</h2>
          <p>{t("consent.wallsText")}</p>
        </section>
        <section class="card">
          <h2>{t("consent.checkTitle")}</h2>
          <p>{t("consent.checkText")}</p>
        </section>
        <section class="card">
          <h2>{t("consent.leavesTitle")}</h2>
          <ul>
            {([1, 2, 3] as const).map((n) => (
              <li key={n}>{t(`consent.leaves${n}`)}</li>
            ))}
          </ul>
        </section>
        <section class="card">
          <h2>{t("consent.stopTitle")}</h2>
          <ul>
            {([1, 2, 3] as const).map((n) => (
              <li key={n}>{t(`consent.stop${n}`)}</li>
            ))}
          </ul>
        </section>
        <section class="card">
          <h2>{t("consent.todayTitle")}</h2>
          <p>{t("consent.todayText")}</p>
        </section>
        <section class="card">
          <h2>{t("consent.creditsTitle")}</h2>
          <p>{t("consent.creditsText")}</p>
        </section>
      </div>
      <section class="decision" aria-label={t("consent.decisionLabel")}>
        <p class="decision-policy">
          {t("consent.policy", { version: policy.version })}
          {policy.hash === "" ? null : (
            <>
              {", "}
              <span title={policy.hash}>{t("consent.policyHash", { hash: short(policy.hash, 12) })}</span>
            </>
          )}
        </p>
        <div class="decision-actions">
          <button ref={notNow} type="button" class="button" data-testid="not-now" onClick={onDecline}>
            {t("consent.notNow")}
          </button>
          <button
            type="button"
            class="button button-primary"
            data-testid="agree"
            onClick={() => onAgree(policy.version)}
          >
            {t("consent.agree")}
          </button>
        </div>
      </section>
    </article>
  );
}

function Brand() {
  return (
    <p class="consent-brand">
      <span class="brand">{t("app.name")}</span>
      <span class="muted" data-testid="phase">
        {t("phase.consent-needed")}
      </span>
    </p>
  );
}

function Declined({ onReadAgain }: { onReadAgain: () => void }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <article class="quiet">
      <Brand />
      <h1 ref={heading} tabIndex={-1}>
        {t("consent.declinedTitle")}
      </h1>
      <p class="lead">{t("consent.declinedText")}</p>
      <button type="button" class="button" data-testid="read-again" onClick={onReadAgain}>
        {t("consent.readAgain")}
      </button>
    </article>
  );
}
