import { useEffect, useRef, useState } from "preact/hooks";
import { copy } from "../clipboard";
import type { NodeView } from "../generated/NodeView";
import { dateOnly, moment, short } from "../format";
import { language, t } from "../translation";
import { Icon } from "./icon";

/** Where the node is connected, who it is, and the way out. */
export function Connection({ view, onWithdraw }: { view: NodeView; onWithdraw: () => void }) {
  const { connection, policy } = view;
  const agreed = moment(policy.agreed_at_ms);
  return (
    <footer class="connection" aria-labelledby="connection-title">
      <h2 id="connection-title">{t("connection.title")}</h2>
      <dl class="facts">
        <div>
          <dt>{t("connection.network")}</dt>
          <dd>{view.network ?? t("app.unknown")}</dd>
        </div>
        <div>
          <dt>{t("connection.node")}</dt>
          <dd>{view.node === null ? t("connection.noNode") : <NodeId id={view.node} />}</dd>
        </div>
        <div>
          <dt>{t("connection.peers")}</dt>
          <dd data-testid="peers">{t("connection.peerCount", { count: connection.peers })}</dd>
        </div>
        <div>
          <dt>{t("connection.supernode")}</dt>
          <dd><Connected yes={connection.supernode} /></dd>
        </div>
        <div>
          <dt>{t("connection.steward")}</dt>
          <dd><Connected yes={connection.steward} /></dd>
        </div>
        <div>
          <dt>{t("connection.policy")}</dt>
          <dd>
            {agreed === null
              ? t("connection.policyVersion", { version: policy.version })
              : t("connection.policyAgreed", {
                  version: policy.version,
                  date: dateOnly(agreed, language()),
                })}
          </dd>
        </div>
      </dl>
      {view.policy.agreed_at_ms === null ? null : <Withdraw onWithdraw={onWithdraw} />}
    </footer>
  );
}

function Connected({ yes }: { yes: boolean }) {
  return (
    <span class={yes ? "linked" : "unlinked"}>
      <Icon name={yes ? "yes" : "no"} />
      {yes ? t("connection.yes") : t("connection.no")}
    </span>
  );
}

function NodeId({ id }: { id: string }) {
  const [said, setSaid] = useState<"copied" | "copyFailed" | null>(null);
  const press = async () => setSaid((await copy(id)) ? "copied" : "copyFailed");
  return (
    <span class="node-id">
      <code title={id} data-testid="node-id">
        {short(id, 12)}
      </code>
      <button
        type="button"
        class="button button-small"
        data-testid="copy-node-id"
        aria-label={t("connection.copyLabel")}
        onClick={() => void press()}
      >
        {t("connection.copy")}
      </button>
      <span role="status" class="fine">
        {said === null ? "" : t(`connection.${said}`)}
      </span>
    </span>
  );
}

function Withdraw({ onWithdraw }: { onWithdraw: () => void }) {
  const [asking, setAsking] = useState(false);
  const keep = useRef<HTMLButtonElement>(null);
  const open = useRef<HTMLButtonElement>(null);
  const opened = useRef(false);
  useEffect(() => {
    if (asking) keep.current?.focus();
    else if (opened.current) open.current?.focus();
    opened.current = asking;
  }, [asking]);
  if (!asking) {
    return (
      <button
        ref={open}
        type="button"
        class="button button-plain"
        data-testid="withdraw"
        onClick={() => setAsking(true)}
      >
        {t("withdraw.button")}
      </button>
    );
  }
  return (
    <div class="ask" role="group" aria-labelledby="withdraw-question">
      <p id="withdraw-question">{t("withdraw.question")}</p>
      <div class="ask-actions">
        <button
          ref={keep}
          type="button"
          class="button"
          data-testid="withdraw-cancel"
          onClick={() => setAsking(false)}
        >
          {t("withdraw.cancel")}
        </button>
        <button type="button" class="button button-danger" data-testid="withdraw-confirm" onClick={onWithdraw}>
          {t("withdraw.confirm")}
        </button>
      </div>
    </div>
  );
}
