import { render } from "preact";
import { App } from "./app";
import { isTauri, type NodeLink, tauriNode } from "./node";
import { choose, loadTexts } from "./translation";

async function open(): Promise<void> {
  let node: NodeLink = tauriNode;
  // In the shipped program this branch is a constant `false` and leaves the bundle.
  if (import.meta.env.DEV && !isTauri()) {
    const { fixtureNode } = await import("./fixtures");
    node = fixtureNode(new URLSearchParams(location.search));
  }
  // A window without the program behind it still has to say so in some language.
  const system = await node.language().catch(() => null);
  await loadTexts(choose([system, ...navigator.languages]));
  const root = document.getElementById("root");
  if (root !== null) render(<App node={node} />, root);
}

void open();
