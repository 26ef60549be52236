/** The node behind the window: commands only send, the whole view comes back as an event. */

import { invoke, isTauri } from "@tauri-apps/api/core";
import { listen } from "@tauri-apps/api/event";
import type { NodeView } from "./generated/NodeView";
import type { Problem } from "./generated/Problem";
import type { SettingsView } from "./generated/SettingsView";

/** How long a pause lasts: an hour, until tomorrow morning, or until it is resumed. */
export type PauseUntil = "hour" | "tomorrow" | "resumed";

export interface NodeLink {
  view(): Promise<NodeView>;
  /** Calls back with the whole view after each change. */
  onView(show: (view: NodeView) => void): Promise<void>;
  /** System language, such as `de-DE`. */
  language(): Promise<string | null>;
  agree(policyVersion: number): Promise<void>;
  withdraw(): Promise<void>;
  pause(until: PauseUntil): Promise<void>;
  resume(): Promise<void>;
  stopEverything(): Promise<void>;
  liftStop(): Promise<void>;
  /** Answers a question; a "yes" is for one of its scopes. */
  answer(question: string, yes: boolean, scope: string | null): Promise<void>;
  /** Takes a "yes" back. */
  revoke(question: string): Promise<void>;
  changeSettings(settings: SettingsView): Promise<void>;
  useSessionIdentity(): Promise<void>;
}

export { isTauri };

export const tauriNode: NodeLink = {
  view: () => invoke<NodeView>("view"),
  onView: async (show) => {
    await listen<NodeView>("node-view", (event) => show(event.payload));
  },
  language: () => invoke<string | null>("language"),
  agree: (policyVersion) => invoke("agree", { policyVersion }),
  withdraw: () => invoke("withdraw"),
  pause: (until) => invoke("pause", { until }),
  resume: () => invoke("resume"),
  stopEverything: () => invoke("stop_everything"),
  liftStop: () => invoke("lift_stop"),
  answer: (question, yes, scope) => invoke("answer", { question, yes, scope }),
  revoke: (question) => invoke("revoke", { question }),
  changeSettings: (settings) => invoke("change_settings", { settings }),
  useSessionIdentity: () => invoke("use_session_identity"),
};

/** What a failed command says, whichever shape it comes in. */
export function asProblem(error: unknown): Problem {
  if (typeof error === "object" && error !== null) {
    const { code, sentence, message } = error as Record<string, unknown>;
    if (typeof code === "string") {
      return { code, sentence: typeof sentence === "string" ? sentence : "" };
    }
    if (typeof message === "string") return { code: "command-failed", sentence: message };
  }
  return { code: "command-failed", sentence: typeof error === "string" ? error : "" };
}
