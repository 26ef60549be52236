import type { Send } from "../app";
import type { NodeView } from "../generated/NodeView";
import type { NodeLink } from "../node";
import { BestResult, Purpose } from "../parts/campaign";
import { Notice } from "../parts/notice";
import { Receipts } from "../parts/receipts";
import { Rewards } from "../parts/rewards";
import { Running } from "../parts/running";
import { problemSentence, t } from "../translation";

/** What runs, what came of it, and what it earned. */
export function Dashboard({ view, node, send }: { view: NodeView; node: NodeLink; send: Send }) {
  return (
    <>
      {view.phase === "paused" ? (
        <Notice tone="info" icon="pause" title={t("banner.pausedTitle")} testid="paused-banner">
          <p>{t("banner.pausedText")}</p>
        </Notice>
      ) : null}
      {view.phase === "stopped" ? (
        <Notice tone="danger" icon="stop" title={t("banner.stoppedTitle")} testid="stopped-banner">
          <p>{t("banner.stoppedText")}</p>
          <button
            type="button"
            class="button"
            data-testid="lift-stop"
            onClick={() => send(() => node.liftStop())}
          >
            {t("actions.lift")}
          </button>
        </Notice>
      ) : null}
      <div role="status">
        {view.problem === null ? null : (
          <Notice tone="warn" icon="warn" title={t("banner.difficultyTitle")} testid="problem">
            <p>{problemSentence(view.problem)}</p>
          </Notice>
        )}
      </div>
      <div class="columns">
        <div class="column">
          <Running view={view} />
          {view.campaigns.map((campaign) => (
            <BestResult key={campaign.id} campaign={campaign} />
          ))}
          {view.campaigns.length === 0 ? (
            <section class="card">
              <h2>{t("best.title")}</h2>
              <p class="muted">{t("campaign.none")}</p>
            </section>
          ) : null}
        </div>
        <div class="column">
          <Rewards rewards={view.rewards} />
          {view.campaigns.map((campaign) => (
            <Purpose key={campaign.id} campaign={campaign} several={view.campaigns.length > 1} />
          ))}
        </div>
      </div>
      <Receipts receipts={view.receipts} />
    </>
  );
}
