import type { BestView } from "../generated/BestView";
import type { CampaignView } from "../generated/CampaignView";
import type { PublishedView } from "../generated/PublishedView";
import { count, decimal } from "../format";
import { inOurLanguage, language, t } from "../translation";
import { Sequence } from "./sequence";

/** How far a campaign has come. */
export function BestResult({ campaign }: { campaign: CampaignView }) {
  const heading = `best-${campaign.id}`;
  return (
    <section class="card" aria-labelledby={heading} data-testid="best-result">
      <h2 id={heading}>{t("best.title")}</h2>
      <p class="card-sub">{inOurLanguage(campaign.title, campaign.name)}</p>
      {campaign.best === null ? (
        <p class="muted">{t("best.none")}</p>
      ) : (
        <Best best={campaign.best} published={campaign.published} />
      )}
    </section>
  );
}

/** What a campaign is for. */
export function Purpose({ campaign, several }: { campaign: CampaignView; several: boolean }) {
  const heading = `purpose-${campaign.id}`;
  return (
    <section class="card" aria-labelledby={heading} data-testid="purpose">
      <h2 id={heading}>{t("campaign.sectionTitle")}</h2>
      {several ? <p class="card-sub">{inOurLanguage(campaign.title, campaign.name)}</p> : null}
      <p class="prose">{inOurLanguage(campaign.purpose, campaign.name)}</p>
      <dl class="facts">
        <div>
          <dt>{t("campaign.length")}</dt>
          <dd>{campaign.length}</dd>
        </div>
        <div>
          <dt>{t("campaign.generation")}</dt>
          <dd>{count(campaign.generation, language())}</dd>
        </div>
        <div>
          <dt>{t("campaign.accepted")}</dt>
          <dd>{count(campaign.units_accepted, language())}</dd>
        </div>
        <div>
          <dt>{t("campaign.rejected")}</dt>
          <dd>{count(campaign.units_rejected, language())}</dd>
        </div>
      </dl>
    </section>
  );
}

function Best({ best, published }: { best: BestView; published: PublishedView | null }) {
  return (
    <>
      <p class="meaning">{t(`best.${meaning(best, published)}`)}</p>
      <table class="comparison">
        <caption class="visually-hidden">{t("best.comparison")}</caption>
        <thead>
          <tr>
            <td />
            <th scope="col">
              {t("best.energy")} <span class="hint">{t("best.energyHint")}</span>
            </th>
            <th scope="col">
              {t("best.merit")} <span class="hint">{t("best.meritHint")}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          <tr class="comparison-here">
            <th scope="row">{t("best.here")}</th>
            <td>{best.energy}</td>
            <td>{decimal(best.merit_factor, language())}</td>
          </tr>
          {published === null ? null : (
            <tr>
              <th scope="row">
                {published.proven_optimal ? t("best.publishedProven") : t("best.publishedTable")}
              </th>
              <td>{published.energy}</td>
              <td>{decimal(published.merit_factor, language())}</td>
            </tr>
          )}
        </tbody>
      </table>
      <Sequence signs={best.sequence} />
    </>
  );
}

/** The table is not the frontier of research, so nothing here is ever called a record. */
export function meaning(best: BestView, published: PublishedView | null) {
  if (published === null) return "noTable";
  if (best.energy > published.energy) return "worse";
  if (best.energy === published.energy) return published.proven_optimal ? "optimal" : "equal";
  return published.proven_optimal ? "contradiction" : "better";
}
