import { useState } from "preact/hooks";
import type { ReceiptView } from "../generated/ReceiptView";
import type { RewardState } from "../generated/RewardState";
import { amount, dateAndTime, moment, short, UNREADABLE } from "../format";
import { language, t } from "../translation";
import { Icon, type IconName } from "./icon";

const FEW = 8;

const STATE_ICONS: Record<RewardState, IconName> = { pending: "idle", posted: "yes", voided: "no" };

/**
 * The latest receipts. In a narrow window the rows become blocks; the roles are spelled out
 * because browsers forget a table's meaning when its display changes.
 */
export function Receipts({ receipts }: { receipts: ReceiptView[] }) {
  const [all, setAll] = useState(false);
  const shown = all ? receipts : receipts.slice(0, FEW);
  return (
    <section class="card" aria-labelledby="receipts-title">
      <h2 id="receipts-title">{t("receipts.title")}</h2>
      {receipts.length === 0 ? (
        <p class="muted" data-testid="receipts-empty">
          {t("receipts.empty")}
        </p>
      ) : (
        <table class="receipts" role="table" aria-labelledby="receipts-title">
          <thead role="rowgroup">
            <tr role="row">
              <th role="columnheader" scope="col">{t("receipts.time")}</th>
              <th role="columnheader" scope="col">{t("receipts.role")}</th>
              <th role="columnheader" scope="col" class="number">{t("receipts.parts")}</th>
              <th role="columnheader" scope="col" class="number">{t("receipts.credits")}</th>
              <th role="columnheader" scope="col">{t("receipts.state")}</th>
              <th role="columnheader" scope="col">{t("receipts.receipt")}</th>
            </tr>
          </thead>
          <tbody role="rowgroup">
            {shown.map((receipt) => (
              <Row key={receipt.id} receipt={receipt} />
            ))}
          </tbody>
        </table>
      )}
      {receipts.length > FEW ? (
        <button
          type="button"
          class="button button-plain"
          data-testid="more-receipts"
          aria-expanded={all}
          onClick={() => setAll(!all)}
        >
          {all ? t("receipts.showFewer") : t("receipts.showAll", { count: receipts.length })}
        </button>
      ) : null}
    </section>
  );
}

function Row({ receipt }: { receipt: ReceiptView }) {
  const at = moment(receipt.at_ms);
  const credits = amount(receipt.amount, language());
  return (
    <tr role="row" data-testid="receipt-row" data-state={receipt.state}>
      <td role="cell" class="receipt-time">
        {at === null ? UNREADABLE : <time dateTime={at.toISOString()}>{dateAndTime(at, language())}</time>}
      </td>
      <td role="cell">{role(receipt.role)}</td>
      <td role="cell" class="number">
        <span class="when-wide">{receipt.segments}</span>
        <span class="when-narrow">{t("receipts.partsInline", { count: receipt.segments })}</span>
      </td>
      <td role="cell" class="number receipt-amount">
        <span class="when-wide">{credits}</span>
        <span class="when-narrow">{t("receipts.creditsInline", { amount: credits })}</span>
      </td>
      <td role="cell" class={`receipt-state receipt-${receipt.state}`}>
        <Icon name={STATE_ICONS[receipt.state]} />
        {t(`receipts.${receipt.state}`)}
      </td>
      <td role="cell">
        <code title={receipt.id}>{short(receipt.id, 8)}</code>
      </td>
    </tr>
  );
}

function role(name: string): string {
  return name === "work" || name === "recheck" ? t(`receipts.${name}`) : name;
}
