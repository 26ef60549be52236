import type { Page, Send } from "../app";
import type { NodeView } from "../generated/NodeView";
import { moment, nearby } from "../format";
import type { NodeLink } from "../node";
import { language, t } from "../translation";
import { Icon, type IconName } from "./icon";
import { PauseMenu } from "./pause";

type State = "starting" | "running" | "idle" | "asking" | "walls" | "paused" | "held" | "stopped" | "halted" | "failed";

const ICONS: Record<State, IconName> = {
  starting: "start",
  running: "run",
  idle: "idle",
  asking: "question",
  walls: "warn",
  paused: "pause",
  held: "clock",
  stopped: "stop",
  halted: "stop",
  failed: "warn",
};

const PAGES = ["overview", "limits", "safety"] as const;

/** "Running" is said only when useful work runs. */
function state(view: NodeView): State {
  if (view.phase === "consent-needed") return "idle";
  if (view.phase !== "running") return view.phase;
  if (view.running.length > 0) return "running";
  if (view.safety.walls_missing) return "walls";
  return view.questions.length > 0 ? "asking" : "idle";
}

function sentence(view: NodeView, now: State): string {
  const until = view.phase === "paused" ? moment(view.pause?.until_ms ?? null) : null;
  if (until === null) return t(`phase.${now}`);
  return t("phase.pausedUntil", { time: nearby(until, new Date(), language()) });
}

interface Props {
  view: NodeView;
  node: NodeLink;
  send: Send;
  page: Page;
  onPage: (page: Page) => void;
}

/** What the node is doing, in words, the buttons that are always at hand, and the pages. */
export function Header({ view, node, send, page, onPage }: Props) {
  const now = state(view);
  const paused = view.pause !== null || view.phase === "paused";
  const stopped = view.phase === "stopped";
  const there = isThere(view);
  return (
    <header class="header">
      <div class="header-line">
        <div class="header-state">
          <h1 class="brand">{t("app.name")}</h1>
          <p class={`state state-${now}`} role="status" data-testid="phase">
            <Icon name={ICONS[now]} />
            {sentence(view, now)}
          </p>
        </div>
        <div class="header-actions" role="group" aria-label={t("actions.label")}>
          {stopped || !there ? null : paused ? (
            <button
              type="button"
              class="button"
              data-testid="resume"
              onClick={() => send(() => node.resume())}
            >
              <Icon name="run" />
              {t("actions.resume")}
            </button>
          ) : (
            <PauseMenu onPause={(until) => send(() => node.pause(until))} />
          )}
          {/* Stays in its place while stopped, so that a hasty second click cannot lift the stop. */}
          {there ? (
            <button
              type="button"
              class="button button-danger"
              data-testid="stop"
              aria-disabled={stopped}
              onClick={() => {
                if (!stopped) send(() => node.stopEverything());
              }}
            >
              <Icon name="stop" />
              {t("actions.stop")}
            </button>
          ) : null}
        </div>
      </div>
      {there ? (
        <nav class="pages" aria-label={t("nav.label")}>
          {PAGES.map((name) => (
            <button
              key={name}
              type="button"
              class="page-tab"
              data-testid={`page-${name}`}
              aria-current={page === name ? "page" : undefined}
              onClick={() => onPage(name)}
            >
              {t(`nav.${name}`)}
            </button>
          ))}
        </nav>
      ) : null}
    </header>
  );
}

/** Without a node nothing runs, and nothing would hear the buttons. */
export function isThere(view: NodeView): boolean {
  return view.node !== null && view.phase !== "failed" && view.phase !== "consent-needed";
}
