import type { Page, Send } from "../app";
import type { HaltView } from "../generated/HaltView";
import type { NodeView } from "../generated/NodeView";
import type { PauseView } from "../generated/PauseView";
import type { SafetyView } from "../generated/SafetyView";
import { dateAndTime, moment, sameDay, timeOnly } from "../format";
import { nextHour } from "../limits";
import type { NodeLink } from "../node";
import { coded, language, problemSentence, t } from "../translation";
import { Notice } from "./notice";

interface Props {
  view: NodeView;
  node: NodeLink;
  send: Send;
  onPage: (page: Page) => void;
}

/** Why nothing runs, where there is such a reason, and what can be done about it. */
export function Banners({ view, node, send, onPage }: Props) {
  return (
    <>
      <div role="alert">
        {view.safety.walls_missing ? <WallsMissing safety={view.safety} onPage={onPage} /> : null}
      </div>
      <div role="status">
        {view.phase === "halted" ? <Halted halt={view.halt} /> : null}
        {view.phase === "held" ? <Held view={view} onPage={onPage} /> : null}
      </div>
      {view.phase === "paused" ? <Paused pause={view.pause} /> : null}
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
    </>
  );
}

function Paused({ pause }: { pause: PauseView | null }) {
  const until = moment(pause?.until_ms ?? null);
  return (
    <Notice tone="info" icon="pause" title={t("banner.pausedTitle")} testid="paused-banner">
      <p>
        {until === null
          ? t("banner.pausedText")
          : sameDay(until, new Date())
            ? t("banner.pausedUntil", { time: timeOnly(until, language()) })
            : t("banner.pausedUntilDay", { time: dateAndTime(until, language()) })}
      </p>
    </Notice>
  );
}

function Held({ view, onPage }: { view: NodeView; onPage: (page: Page) => void }) {
  const code = view.hold?.code ?? "unknown";
  return (
    <Notice tone="info" icon="clock" title={t("banner.heldTitle")} testid="held-banner">
      <p>{code === "unknown" ? t("idle.held") : (coded("hold", code) ?? t("hold.unknown", { code }))}</p>
      <p>{goesOn(view)}</p>
      {code === "settling" ? null : (
        <button type="button" class="button" data-testid="held-limits" onClick={() => onPage("limits")}>
          {t("banner.heldLink")}
        </button>
      )}
    </Notice>
  );
}

function goesOn({ hold, settings }: NodeView): string {
  let until = moment(hold?.until_ms ?? null);
  if (until === null && hold?.code === "schedule" && settings.schedule !== null) {
    until = nextHour(settings.schedule, new Date());
    if (until === null) return t("limits.neverWarning");
  }
  if (until === null) return t("banner.heldOpen");
  return sameDay(until, new Date())
    ? t("banner.heldUntil", { time: timeOnly(until, language()) })
    : t("banner.heldUntilDay", { time: dateAndTime(until, language()) });
}

function Halted({ halt }: { halt: HaltView | null }) {
  const until = moment(halt?.expires_ms ?? null);
  const title =
    until === null
      ? t("banner.haltedTitleOpen")
      : t("banner.haltedTitle", { time: dateAndTime(until, language()) });
  const reason = halt?.reason ?? null;
  return (
    <Notice tone="warn" icon="stop" title={title} testid="halted-banner">
      {reason === null ? null : (
        <p>
          {t("banner.haltedReason")} <q lang="en">{reason}</q>
        </p>
      )}
      <p>{t("banner.haltedText")}</p>
    </Notice>
  );
}

function WallsMissing({ safety, onPage }: { safety: SafetyView; onPage: (page: Page) => void }) {
  const missing = safety.walls.filter((wall) => !wall.up);
  const walls = missing.map(({ code }) => coded("wallName", code) ?? code).join(", ");
  return (
    <Notice tone="danger" icon="warn" title={t("banner.wallsTitle")} testid="walls-missing">
      <p>{t("banner.wallsText")}</p>
      {walls === "" ? null : <p>{t("banner.wallsWhich", { walls })}</p>}
      <button type="button" class="button" data-testid="walls-safety" onClick={() => onPage("safety")}>
        {t("banner.wallsLink")}
      </button>
    </Notice>
  );
}
