import type { CampaignView } from "../generated/CampaignView";
import type { NodeView } from "../generated/NodeView";
import type { RunningView } from "../generated/RunningView";
import { moment, short, timeOnly } from "../format";
import { idleSentence, inOurLanguage, language, t } from "../translation";

export function Running({ view }: { view: NodeView }) {
  // Frozen work is still there and goes on later, but it does not run.
  const standsStill = view.running.length > 0 && view.phase !== "running" && view.phase !== "starting";
  return (
    <section class="card" aria-labelledby="running-title">
      <h2 id="running-title">{standsStill ? t("running.heldTitle") : t("running.title")}</h2>
      {view.running.length === 0 ? (
        <p class="muted" data-testid="idle-reason">
          {whyNothing(view)}
        </p>
      ) : (
        <ul class="units">
          {view.running.map((running) => (
            <Unit
              key={running.lease}
              running={running}
              campaign={view.campaigns.find(({ id }) => id === running.campaign)}
            />
          ))}
        </ul>
      )}
    </section>
  );
}

function whyNothing(view: NodeView): string {
  switch (view.phase) {
    case "starting":
    case "paused":
    case "held":
    case "stopped":
    case "halted":
    case "failed":
      return idleSentence(view.phase);
    default:
      return idleSentence(notJoined(view) ?? view.idle_reason ?? "none");
  }
}

/** A campaign that the volunteer has not said "yes" to is not waited for. */
function notJoined(view: NodeView): string | null {
  if (view.campaigns.length > 0 || view.idle_reason !== "waiting") return null;
  const last = view.safety.decisions.find(({ action }) => action === "join-campaign");
  if (last?.verdict === "asked") return "not-confirmed";
  return last?.verdict === "denied" ? last.rule : null;
}

function Unit({ running, campaign }: { running: RunningView; campaign: CampaignView | undefined }) {
  const title =
    campaign === undefined ? t("running.unknownCampaign") : inOurLanguage(campaign.title, campaign.name);
  const since = moment(running.started_at_ms);
  const done = Math.min(running.segments_done, running.segments);
  return (
    <li class="unit" data-testid="running-unit">
      <p class="unit-title">{title}</p>
      <progress
        class="progress"
        value={done}
        max={Math.max(running.segments, 1)}
        aria-label={t("running.progressLabel", { campaign: title })}
      />
      <p class="unit-line">
        <strong>{t("running.parts", { done, count: running.segments })}</strong>
        <span class="muted">
          {t("running.unit")} <code title={running.unit}>{short(running.unit)}</code>
          {since === null ? null : `, ${t("running.since", { time: timeOnly(since, language()) })}`}
        </span>
      </p>
    </li>
  );
}
