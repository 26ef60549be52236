import type { RuleView } from "../generated/RuleView";
import { coded, t } from "../translation";
import { Icon, type IconName } from "./icon";

export type Tier = "low" | "medium" | "high";

export const TIERS: readonly Tier[] = ["low", "medium", "high"];

const ICONS: Record<Tier, IconName> = { low: "yes", medium: "question", high: "no" };

/** What a rule is about, in a sentence; without a translation, its name. */
export function ruleSentence(action: string): string {
  return coded("rule", action) ?? action;
}

/**
 * The rules of a tier, straight from the policy that the program checks. A tier that this window
 * does not know counts as the strictest: such an action is never done.
 */
export function Rules({ rules, tier }: { rules: RuleView[]; tier: Tier }) {
  const known = (name: string): Tier => TIERS.find((each) => each === name) ?? "high";
  return (
    <ul class={`signed signed-${tier}`} data-testid={`rules-${tier}`}>
      {rules
        .filter((rule) => known(rule.tier) === tier)
        .map(({ action }) => (
          <li key={action} data-testid="rule">
            <Icon name={ICONS[tier]} />
            <span>{ruleSentence(action)}</span>
          </li>
        ))}
      {rules.length === 0 ? <li class="muted">{t("app.unknown")}</li> : null}
    </ul>
  );
}
