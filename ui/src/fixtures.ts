/** Made-up views to look at the pages without a node: `npm run dev`, then `?fixture=dashboard`. */

import type { CampaignView } from "./generated/CampaignView";
import type { NodeView } from "./generated/NodeView";
import type { ReceiptView } from "./generated/ReceiptView";
import type { NodeLink } from "./node";

const id = (seed: number) =>
  Array.from({ length: 64 }, (_, at) => ((seed * 7919 + at * 2654435761) >>> 11) % 16)
    .map((digit) => digit.toString(16))
    .join("");

const MINUTE_MS = 60_000;
const START_MS = 1_764_000_000_000;

export const campaign: CampaignView = {
  id: id(1),
  name: "labs-47",
  title: {
    en: "Binary sequences that hardly resemble themselves",
    de: "Binärfolgen, die sich selbst kaum ähneln",
  },
  purpose: {
    en: "Radar, communication and physics need sequences of plus and minus whose shifted copies look as little alike as possible. This campaign searches for such sequences of length 47.",
    de: "Radar, Nachrichtentechnik und Physik brauchen Folgen aus Plus und Minus, deren verschobene Kopien sich möglichst wenig ähneln. Diese Kampagne sucht solche Folgen der Länge 47.",
  },
  length: 47,
  generation: "12",
  units_accepted: "1284",
  units_rejected: "3",
  best: {
    energy: 135,
    merit_factor: "8.18",
    sequence: "-+---+-+-++-++++---+++-+++-+-----+++++++--++--+",
  },
  published: { energy: 135, merit_factor: "8.18", proven_optimal: true },
};

const receipt = (n: number): ReceiptView => ({
  id: id(100 + n),
  unit: id(200 + n),
  campaign: campaign.id,
  role: n % 3 === 1 ? "recheck" : "work",
  segments: n % 3 === 1 ? 2 : 8,
  amount: n % 3 === 1 ? "0.125000" : "1.500000",
  state: n === 4 ? "voided" : n < 3 ? "pending" : "posted",
  at_ms: String(START_MS - n * 7 * MINUTE_MS),
});

export const dashboard: NodeView = {
  phase: "running",
  problem: null,
  idle_reason: null,
  node: id(3),
  network: "Local network on this computer",
  policy: { version: 1, hash: id(4), agreed_at_ms: String(START_MS - 1440 * MINUTE_MS) },
  connection: { peers: 4, supernode: true, steward: true },
  campaigns: [campaign],
  running: [
    {
      lease: id(5),
      unit: id(6),
      campaign: campaign.id,
      segments_done: 3,
      segments: 8,
      started_at_ms: String(START_MS),
    },
    {
      lease: id(7),
      unit: id(8),
      campaign: campaign.id,
      segments_done: 1,
      segments: 2,
      started_at_ms: String(START_MS + MINUTE_MS),
    },
  ],
  receipts: Array.from({ length: 20 }, (_, n) => receipt(n)),
  rewards: { pending: "4.625000", posted: "1234.500000", voided: "1.500000", receipts: "1093" },
};

const fresh: NodeView = {
  ...dashboard,
  campaigns: [],
  running: [],
  receipts: [],
  rewards: { pending: "0.000000", posted: "0.000000", voided: "0.000000", receipts: "0" },
};

const long: CampaignView = {
  ...campaign,
  id: id(2),
  name: "labs-skew-201",
  length: 201,
  best: {
    energy: 2600,
    merit_factor: "7.77",
    sequence: Array.from({ length: 201 }, (_, at) => ((at * at * 7 + at * 3) % 11 < 5 ? "+" : "-")).join(""),
  },
  published: { energy: 2500, merit_factor: "8.08", proven_optimal: false },
};

export const fixtures: Record<string, NodeView> = {
  consent: {
    ...fresh,
    phase: "consent-needed",
    node: null,
    network: null,
    policy: { ...dashboard.policy, agreed_at_ms: null },
    connection: { peers: 0, supernode: false, steward: false },
  },
  dashboard,
  idle: { ...dashboard, running: [], idle_reason: "waiting", campaigns: [long] },
  difficulty: {
    ...dashboard,
    running: [],
    idle_reason: "no-steward",
    problem: { code: "no-steward", sentence: "The steward cannot be reached." },
    connection: { peers: 2, supernode: true, steward: false },
  },
  starting: {
    ...fresh,
    phase: "starting",
    node: null,
    network: null,
    connection: { peers: 0, supernode: false, steward: false },
  },
  paused: { ...dashboard, phase: "paused", running: [] },
  stopped: { ...dashboard, phase: "stopped", running: [] },
  "key-store": {
    ...fresh,
    phase: "failed",
    node: null,
    network: null,
    problem: { code: "key-store-unavailable", sentence: "The key store is not available." },
    connection: { peers: 0, supernode: false, steward: false },
  },
  failed: {
    ...fresh,
    phase: "failed",
    problem: { code: "something-new", sentence: "A sentence that came with the problem." },
  },
};

/** A node that only pretends: commands change the phase, nothing else. */
export function fixtureNode(query: URLSearchParams): NodeLink {
  let view = fixtures[query.get("fixture") ?? "dashboard"] ?? dashboard;
  let show: (view: NodeView) => void = () => undefined;
  const become = (next: NodeView) => async () => {
    view = next;
    show(view);
  };
  const textPercent = query.get("text");
  if (textPercent !== null) document.documentElement.style.fontSize = `${textPercent}%`;
  return {
    view: async () => view,
    onView: async (callback) => {
      show = callback;
    },
    language: async () => query.get("lang"),
    agree: become(dashboard),
    withdraw: become(fixtures.consent ?? dashboard),
    pause: become(fixtures.paused ?? dashboard),
    resume: become(dashboard),
    stopEverything: become(fixtures.stopped ?? dashboard),
    liftStop: become(dashboard),
    useSessionIdentity: become(dashboard),
  };
}
