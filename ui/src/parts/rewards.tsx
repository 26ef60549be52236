import type { RewardsView } from "../generated/RewardsView";
import { amount, count } from "../format";
import { language, t } from "../translation";

export function Rewards({ rewards }: { rewards: RewardsView }) {
  const line = (name: "pending" | "posted" | "voided") => (
    <div class={`reward reward-${name}`}>
      <dt>{t(`rewards.${name}`)}</dt>
      <dd data-testid={`rewards-${name}`}>
        {amount(rewards[name], language())} <span class="hint">{t("rewards.unit")}</span>
      </dd>
    </div>
  );
  return (
    <section class="card" aria-labelledby="rewards-title">
      <h2 id="rewards-title">{t("rewards.title")}</h2>
      <dl class="rewards">
        {line("posted")}
        {line("pending")}
        {line("voided")}
      </dl>
      <p class="fine">{t("rewards.pendingMeaning")}</p>
      <p class="fine">{t("rewards.noMoney")}</p>
      <p class="fine" data-testid="receipt-count">
        {t("rewards.receipts", {
          // Only the plural form hangs on the number; what is shown is the exact text.
          count: rewards.receipts === "1" ? 1 : 2,
          formatted: count(rewards.receipts, language()),
        })}
      </p>
    </section>
  );
}
