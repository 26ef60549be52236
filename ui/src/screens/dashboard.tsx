import type { Page, Send } from "../app";
import type { NodeView } from "../generated/NodeView";
import type { NodeLink } from "../node";
import { Banners } from "../parts/banners";
import { BestResult, Purpose } from "../parts/campaign";
import { Receipts } from "../parts/receipts";
import { Rewards } from "../parts/rewards";
import { Running } from "../parts/running";
import { t } from "../translation";

interface Props {
  view: NodeView;
  node: NodeLink;
  send: Send;
  onPage: (page: Page) => void;
}

/** What runs, what came of it, and what it earned. */
export function Dashboard({ view, node, send, onPage }: Props) {
  return (
    <>
      <Banners view={view} node={node} send={send} onPage={onPage} />
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
