import type { Send } from "../app";
import type { NodeView } from "../generated/NodeView";
import type { NodeLink } from "../node";
import { t } from "../translation";
import { Icon, type IconName } from "./icon";

type State = "starting" | "running" | "idle" | "paused" | "stopped" | "failed";

const ICONS: Record<State, IconName> = {
  starting: "start",
  running: "run",
  idle: "idle",
  paused: "pause",
  stopped: "stop",
  failed: "warn",
};

/** "Running" is said only when useful work runs. */
function state(view: NodeView): State {
  if (view.phase === "consent-needed") return "idle";
  if (view.phase === "running") return view.running.length === 0 ? "idle" : "running";
  return view.phase;
}

/** What the node is doing, in words, and the buttons that are always at hand. */
export function Header({ view, node, send }: { view: NodeView; node: NodeLink; send: Send }) {
  const now = state(view);
  const paused = view.phase === "paused";
  const stopped = view.phase === "stopped";
  // Without a node nothing runs, and nothing would hear the buttons.
  const there = view.node !== null && view.phase !== "failed";
  return (
    <header class="header">
      <div class="header-state">
        <h1 class="brand">{t("app.name")}</h1>
        <p class={`state state-${now}`} role="status" data-testid="phase">
          <Icon name={ICONS[now]} />
          {t(`phase.${now}`)}
        </p>
      </div>
      <div class="header-actions" role="group" aria-label={t("actions.label")}>
        {stopped || !there ? null : (
          <button
            type="button"
            class="button"
            data-testid={paused ? "resume" : "pause"}
            onClick={() => send(() => (paused ? node.resume() : node.pause()))}
          >
            <Icon name={paused ? "run" : "pause"} />
            {paused ? t("actions.resume") : t("actions.pause")}
          </button>
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
    </header>
  );
}
