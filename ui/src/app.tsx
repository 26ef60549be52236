/** The window: one whole view in, one screen out. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { NodeView } from "./generated/NodeView";
import type { Problem } from "./generated/Problem";
import type { Form } from "./limits";
import { asProblem, type NodeLink } from "./node";
import { Connection } from "./parts/connection";
import { Header, isThere } from "./parts/header";
import { Notice } from "./parts/notice";
import { Questions } from "./parts/questions";
import { Consent } from "./screens/consent";
import { Dashboard } from "./screens/dashboard";
import { Failed } from "./screens/failed";
import { Limits } from "./screens/limits";
import { Safety } from "./screens/safety";
import { problemSentence, t } from "./translation";

/** Sends a command; what goes wrong is shown. */
export type Send = (command: () => Promise<void>) => void;

/** What the window shows while the node is there. */
export type Page = "overview" | "limits" | "safety";

export function App({ node }: { node: NodeLink }) {
  const [view, setView] = useState<NodeView | null>(null);
  const [disconnected, setDisconnected] = useState(false);
  const [failure, setFailure] = useState<Problem | null>(null);
  const [chosen, setChosen] = useState<Page>("overview");
  const [draft, setDraft] = useState<Form | null>(null);

  useEffect(() => {
    let eventSeen = false;
    const follow = async () => {
      // Listening starts before asking, so that no change falls between the two; an answer that
      // is older than an event is dropped.
      await node.onView((next) => {
        eventSeen = true;
        setView(next);
      });
      const first = await node.view();
      if (!eventSeen) setView(first);
    };
    follow().catch(() => setDisconnected(true));
  }, [node]);

  const send: Send = (command) => {
    setFailure(null);
    command().catch((error: unknown) => setFailure(asProblem(error)));
  };

  if (view === null) {
    return disconnected ? <Disconnected /> : <p class="loading" role="status">{t("app.loading")}</p>;
  }
  const there = isThere(view);
  const page = there ? chosen : "overview";
  const onPage = (next: Page) => {
    setFailure(null);
    setChosen(next);
    window.scrollTo(0, 0);
  };
  return (
    <div class="app" data-phase={view.phase} data-page={page}>
      {view.phase === "consent-needed" ? null : (
        <Header view={view} node={node} send={send} page={page} onPage={onPage} />
      )}
      <Main phase={view.phase}>
        <div role="alert">
          {failure === null ? null : (
            <Notice tone="danger" icon="warn" testid="command-failed">
              <p>{t("app.commandFailed", { reason: problemSentence(failure) })}</p>
            </Notice>
          )}
        </div>
        {there ? <Questions questions={view.questions} node={node} /> : null}
        {page === "limits" ? (
          <Limits
            settings={view.settings}
            untold={view.safety.untold}
            node={node}
            draft={draft}
            onDraft={setDraft}
          />
        ) : page === "safety" ? (
          <Safety view={view} node={node} send={send} />
        ) : (
          <Overview view={view} node={node} send={send} onPage={onPage} />
        )}
      </Main>
      {view.phase === "consent-needed" || page !== "overview" ? null : (
        <Connection view={view} onWithdraw={() => send(() => node.withdraw())} />
      )}
    </div>
  );
}

interface OverviewProps {
  view: NodeView;
  node: NodeLink;
  send: Send;
  onPage: (page: Page) => void;
}

function Overview({ view, node, send, onPage }: OverviewProps) {
  switch (view.phase) {
    case "consent-needed":
      return <Consent policy={view.policy} onAgree={(version) => send(() => node.agree(version))} />;
    case "failed":
      return <Failed view={view} node={node} send={send} />;
    case "starting":
    case "running":
    case "paused":
    case "held":
    case "stopped":
    case "halted":
      return <Dashboard view={view} node={node} send={send} onPage={onPage} />;
  }
}

/**
 * The main landmark. A button that disappears with its phase would take the keyboard focus with
 * it; then the focus goes here instead of nowhere.
 */
function Main({ phase, children }: { phase: string; children: preact.ComponentChildren }) {
  const main = useRef<HTMLElement>(null);
  const phaseBefore = useRef(phase);
  useLayoutEffect(() => {
    const changed = phaseBefore.current !== phase;
    phaseBefore.current = phase;
    if (!changed) return;
    if (document.activeElement === null || document.activeElement === document.body) {
      main.current?.focus({ preventScroll: true });
    }
  }, [phase]);
  return (
    <main ref={main} tabIndex={-1} class="main">
      {children}
    </main>
  );
}

function Disconnected() {
  const problem = { code: "window-disconnected", sentence: "" };
  return (
    <div class="app" data-phase="failed">
      <main class="main">
        <div role="alert">
          <Notice tone="danger" icon="warn" title={t("failed.title")} level={1}>
            <p>{problemSentence(problem)}</p>
          </Notice>
        </div>
      </main>
    </div>
  );
}
