/** Draws the window over a node that only listens, and looks at what is on the page. */

import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, vi } from "vitest";
import { App } from "./app";
import type { NodeView } from "./generated/NodeView";
import type { NodeLink } from "./node";
import { type Language, loadTexts } from "./translation";

export let root: HTMLElement;
export let publish: (view: NodeView) => void;

beforeEach(() => {
  vi.useRealTimers();
  root = document.createElement("div");
  document.body.append(root);
});

afterEach(() => {
  render(null, root);
  root.remove();
});

export function link(view: NodeView) {
  return {
    view: vi.fn(async () => view),
    onView: vi.fn(async (show: (view: NodeView) => void) => {
      publish = (next) => act(() => show(next));
    }),
    language: vi.fn(async () => null),
    agree: vi.fn(async () => undefined),
    withdraw: vi.fn(async () => undefined),
    pause: vi.fn(async () => undefined),
    resume: vi.fn(async () => undefined),
    stopEverything: vi.fn(async () => undefined),
    liftStop: vi.fn(async () => undefined),
    answer: vi.fn(async () => undefined),
    revoke: vi.fn(async () => undefined),
    changeSettings: vi.fn(async () => undefined),
    useSessionIdentity: vi.fn(async () => undefined),
  } satisfies NodeLink;
}

export async function draw(node: NodeLink) {
  await act(async () => render(<App node={node} />, root));
  await settled();
}

/** Lets the answers of the node reach the page. */
export const settled = () =>
  act(async () => {
    for (let turn = 0; turn < 8; turn += 1) await Promise.resolve();
  });

export async function show(view: NodeView, language: Language = "en") {
  await loadTexts(language);
  const node = link(view);
  await draw(node);
  return node;
}

export const all = (testid: string) => [...root.querySelectorAll<HTMLElement>(`[data-testid="${testid}"]`)];
export const one = (testid: string): HTMLElement => {
  const found = all(testid)[0];
  if (found === undefined) throw new Error(`no ${testid} on the page`);
  return found;
};
export const press = async (testid: string) => {
  await act(async () => one(testid).click());
  await settled();
};

/** Types into a field. */
export const type = async (testid: string, text: string) => {
  const field = one(testid) as HTMLInputElement;
  await act(async () => {
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
  await settled();
};

/** Chooses from a list. */
export const choose = async (testid: string, value: string) => {
  const list = one(testid) as HTMLSelectElement;
  await act(async () => {
    list.value = value;
    list.dispatchEvent(new Event("change", { bubbles: true }));
  });
  await settled();
};

/** Presses a key where the focus is; says whether the page left it alone. */
export const key = async (name: string) => {
  const event = new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true });
  await act(async () => {
    document.activeElement?.dispatchEvent(event);
  });
  await settled();
  return !event.defaultPrevented;
};
