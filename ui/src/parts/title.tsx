import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** The heading of a page; it takes the focus, so that a screen reader says where one has come. */
export function PageTitle({ lead, children }: { lead: string; children: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  return (
    <div class="page-head">
      <h2 ref={heading} tabIndex={-1} class="page-title">
        {children}
      </h2>
      <p class="muted prose">{lead}</p>
    </div>
  );
}
