import type { Send } from "../app";
import type { NodeView } from "../generated/NodeView";
import type { NodeLink } from "../node";
import { Notice } from "../parts/notice";
import { problemSentence, t } from "../translation";

/** Why the program cannot work, and the way on where there is one. */
export function Failed({ view, node, send }: { view: NodeView; node: NodeLink; send: Send }) {
  const { problem } = view;
  return (
    <>
      <div role="alert">
        <Notice tone="danger" icon="warn" title={t("failed.title")} testid="problem">
          <p>{problem === null ? t("problem.unknown") : problemSentence(problem)}</p>
          {problem === null ? null : (
            <p class="fine">
              {t("failed.code")}: <code>{problem.code}</code>
            </p>
          )}
        </Notice>
      </div>
      {problem?.code.startsWith("key-store-") ? (
        <section class="card" aria-labelledby="session-title">
          <h2 id="session-title">{t("failed.sessionTitle")}</h2>
          <p>{t("failed.sessionText")}</p>
          <p>
            <strong>{t("failed.sessionLoss")}</strong>
          </p>
          <button
            type="button"
            class="button"
            data-testid="use-session-identity"
            onClick={() => send(() => node.useSessionIdentity())}
          >
            {t("failed.sessionButton")}
          </button>
        </section>
      ) : null}
    </>
  );
}
