/** Made-up views to look at the pages without a node: `npm run dev`, then `?fixture=dashboard`. */

import type { ActionView } from "./generated/ActionView";
import type { CampaignView } from "./generated/CampaignView";
import type { DecisionView } from "./generated/DecisionView";
import type { GrantView } from "./generated/GrantView";
import type { NodeView } from "./generated/NodeView";
import type { QuestionView } from "./generated/QuestionView";
import type { ReceiptView } from "./generated/ReceiptView";
import type { RuleView } from "./generated/RuleView";
import type { SettingsView } from "./generated/SettingsView";
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

export const rules: RuleView[] = [
  ...["connect", "heartbeat", "join-campaign", "fetch-blob", "run-skill", "use-workspace"].map(
    (action) => ({ action, tier: "low" }),
  ),
  ...["fetch-outside-input", "exceed-limits", "read-folder", "send-diagnostics", "change-payout"].map(
    (action) => ({ action, tier: "medium" }),
  ),
  ...["run-program", "write-outside-workspace", "open-port", "change-settings-remotely"].map((action) => ({
    action,
    tier: "high",
  })),
];

export const WALLS = [
  "closed-files",
  "empty-environment",
  "lowest-priority",
  "no-capabilities",
  "no-new-privileges",
  "not-dumpable",
  "ends-with-parent",
  "landlock",
  "resource-limits",
  "system-calls",
];

export const settings: SettingsView = {
  cpu_percent: 50,
  cores: 1,
  memory_mib: 1024,
  disk_mib: 2048,
  only_when_idle: false,
  idle_minutes: 5,
  on_battery: false,
  on_metered: false,
  pause_when_hot: true,
  schedule: null,
};

const action = (name: string, more: Partial<ActionView> = {}): ActionView => ({
  name,
  campaign: null,
  title: {},
  steward: null,
  host: null,
  folder: null,
  address: null,
  memory_mib: null,
  disk_mib: null,
  cpu_percent: null,
  ...more,
});

const forCampaign = { campaign: campaign.id, title: campaign.title as Record<string, string>, steward: id(9) };

const question = (n: number, asked: ActionView, scopes: string[]): QuestionView => ({
  id: String(n),
  action: asked,
  asked_at_ms: String(Date.now() - MINUTE_MS),
  expires_at_ms: String(Date.now() + 9 * MINUTE_MS),
  scopes,
});

/** One question of every kind, and one of a kind that does not exist yet. */
export const questions: QuestionView[] = [
  question(1, action("join-campaign", forCampaign), ["day", "campaign"]),
  question(2, action("exceed-limits", { ...forCampaign, memory_mib: 512, disk_mib: 4096, cpu_percent: 90 }), [
    "campaign",
    "day",
  ]),
  question(3, action("fetch-outside-input", { ...forCampaign, host: "data.example.org" }), [
    "once",
    "day",
    "campaign",
  ]),
  question(4, action("read-folder", { ...forCampaign, folder: "/home/anna/Documents/Old letters" }), [
    "once",
    "day",
    "campaign",
  ]),
  question(5, action("send-diagnostics", { host: "support.example.org" }), ["once"]),
  question(6, action("change-payout", { address: `0x${id(11).slice(0, 40)}` }), ["once"]),
  question(7, action("brand-new"), ["once"]),
];

const grants: GrantView[] = [
  {
    id: "1",
    action: action("join-campaign", forCampaign),
    scope: "day",
    since_ms: String(START_MS),
    until_ms: String(START_MS + 1440 * MINUTE_MS),
  },
  {
    id: "3",
    action: action("fetch-outside-input", { ...forCampaign, host: "data.example.org" }),
    scope: "campaign",
    since_ms: String(START_MS),
    until_ms: null,
  },
];

const decision = (n: number): DecisionView => {
  const kinds: [string, string, string, string][] = [
    ["run-skill", "low", "permitted", "low-risk"],
    ["fetch-blob", "low", "permitted", "low-risk"],
    ["join-campaign", "medium", "asked", "medium-risk"],
    ["run-skill", "low", "denied", "above-your-limits"],
    ["open-port", "high", "denied", "not-allowed"],
  ];
  const [name, tier, verdict, rule] = kinds[n % kinds.length] ?? ["run-skill", "low", "permitted", "low-risk"];
  return {
    at_ms: String(START_MS - n * MINUTE_MS),
    action: name,
    tier,
    verdict,
    rule,
    correlation: n === 4 ? null : n === 2 ? "question 1" : id(300 + n),
  };
};

export const dashboard: NodeView = {
  phase: "running",
  problem: null,
  idle_reason: null,
  node: id(3),
  network: "Local network on this computer",
  policy: { version: 2, hash: id(4), agreed_at_ms: String(START_MS - 1440 * MINUTE_MS), rules },
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
  pause: null,
  hold: null,
  halt: null,
  questions: [],
  grants: [],
  settings,
  safety: {
    walls: WALLS.map((code) => ({ code, up: true })),
    walls_missing: false,
    untold: [],
    counters: {
      permitted: "1432",
      denied: "3",
      confirmed: "1",
      refused: "0",
      timed_out: "1",
      orders_refused: "0",
    },
    decisions: Array.from({ length: 12 }, (_, n) => decision(n)),
  },
};

const inHours = (hours: number) => String(Date.now() + hours * 60 * MINUTE_MS);

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
  paused: { ...dashboard, phase: "paused", pause: { until_ms: null } },
  "paused-hour": { ...dashboard, phase: "paused", pause: { until_ms: inHours(1) } },
  held: { ...dashboard, phase: "held", hold: { code: "battery", until_ms: null } },
  "held-schedule": {
    ...dashboard,
    phase: "held",
    running: [],
    hold: { code: "schedule", until_ms: inHours(30) },
  },
  "held-new": { ...dashboard, phase: "held", running: [], hold: { code: "full-moon", until_ms: inHours(0.1) } },
  halted: {
    ...dashboard,
    phase: "halted",
    running: [],
    halt: { expires_ms: inHours(48), reason: "A fault was found in the way results are counted." },
  },
  "halted-bare": { ...dashboard, phase: "halted", running: [], halt: { expires_ms: inHours(2), reason: null } },
  questions: { ...dashboard, questions },
  question: { ...dashboard, running: [], idle_reason: "not-confirmed", questions: questions.slice(0, 1) },
  granted: { ...dashboard, grants },
  "walls-missing": {
    ...dashboard,
    running: [],
    idle_reason: "walls-missing",
    safety: {
      ...dashboard.safety,
      walls: [...WALLS, "moat"].map((code) => ({ code, up: code !== "landlock" && code !== "moat" })),
      walls_missing: true,
    },
  },
  untold: {
    ...dashboard,
    settings: {
      ...settings,
      only_when_idle: true,
      schedule: [0xffffff, 0xc0003f, 0xc0003f, 0, 0x3fe00, 0xffffff, 0xffffff],
    },
    safety: {
      ...dashboard.safety,
      untold: ["battery-unknown", "metered-unknown", "idle-unknown", "heat-unknown", "cpu-unknown"],
    },
  },
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

/** A node that only pretends: commands change what is shown, nothing else. */
export function fixtureNode(query: URLSearchParams): NodeLink {
  let view = fixtures[query.get("fixture") ?? "dashboard"] ?? dashboard;
  let show: (view: NodeView) => void = () => undefined;
  const change = async (part: Partial<NodeView>) => {
    view = { ...view, ...part };
    show(view);
  };
  const become = (next: NodeView | undefined) => () => change(next ?? dashboard);
  const textPercent = query.get("text");
  if (textPercent !== null) document.documentElement.style.fontSize = `${textPercent}%`;
  return {
    view: async () => view,
    onView: async (callback) => {
      show = callback;
    },
    language: async () => query.get("lang"),
    agree: become(dashboard),
    withdraw: become(fixtures.consent),
    pause: (until) => become(fixtures[until === "resumed" ? "paused" : "paused-hour"])(),
    resume: become(dashboard),
    stopEverything: become(fixtures.stopped),
    liftStop: become(dashboard),
    answer: (question) => change({ questions: view.questions.filter(({ id }) => id !== question) }),
    revoke: (question) => change({ grants: view.grants.filter(({ id }) => id !== question) }),
    changeSettings: (settings) => change({ settings }),
    useSessionIdentity: become(dashboard),
  };
}
