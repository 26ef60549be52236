import { t } from "../translation";

const HALF = 10;
const GAP = 0.16;

/** A sequence of signs as blocks above and below a line. */
export function Sequence({ signs }: { signs: string }) {
  const all = [...signs].filter((sign) => sign === "+" || sign === "-");
  if (all.length === 0) return null;
  const plus = all.filter((sign) => sign === "+").length;
  const label = t("best.sequenceLabel", { count: all.length, plus, minus: all.length - plus });
  return (
    <figure class="sequence">
      <svg
        class="sequence-blocks"
        viewBox={`0 0 ${all.length} ${2 * HALF}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={label}
      >
        <path class="sequence-plus" d={blocks(all, "+", 0)} />
        <path class="sequence-minus" d={blocks(all, "-", HALF)} />
      </svg>
      <figcaption class="fine">{t("best.sequenceHint")}</figcaption>
      <details class="fine">
        <summary>{t("best.sequenceText")}</summary>
        <code class="sequence-text">{all.join("")}</code>
      </details>
    </figure>
  );
}

function blocks(signs: string[], wanted: string, top: number): string {
  return signs
    .map((sign, at) => (sign === wanted ? `M${at + GAP / 2} ${top}h${1 - GAP}v${HALF}h-${1 - GAP}z` : ""))
    .join("");
}
