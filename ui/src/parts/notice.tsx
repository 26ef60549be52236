import type { ComponentChildren } from "preact";
import { Icon, type IconName } from "./icon";

interface Props {
  tone: "info" | "warn" | "danger";
  icon: IconName;
  title?: string;
  level?: 1 | 2;
  testid?: string;
  children: ComponentChildren;
}

/** A full-width message with a sign, so that its tone is not told by colour alone. */
export function Notice({ tone, icon, title, level = 2, testid, children }: Props) {
  const Heading = level === 1 ? "h1" : "h2";
  return (
    <div class={`notice notice-${tone}`} data-testid={testid}>
      <Icon name={icon} />
      <div class="notice-body">
        {title === undefined ? null : <Heading class="notice-title">{title}</Heading>}
        {children}
      </div>
    </div>
  );
}
