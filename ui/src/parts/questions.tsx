import { useEffect, useRef, useState } from "preact/hooks";
import type { QuestionView } from "../generated/QuestionView";
import type { NodeLink } from "../node";
import { t } from "../translation";
import { Notice } from "./notice";
import { Question } from "./question";

/**
 * The open questions: the oldest that was not put off is asked, those that were put off wait in a
 * banner.
 */
export function Questions({ questions, node }: { questions: QuestionView[]; node: NodeLink }) {
  const [putOff, setPutOff] = useState<ReadonlySet<string>>(new Set());
  const open = useRef<HTMLButtonElement>(null);
  const asked = questions.find(({ id }) => !putOff.has(id));
  const waits = asked === undefined && questions.length > 0;
  const askedBefore = useRef(false);
  useEffect(() => {
    // After "decide later" the way back is at hand.
    const lost = document.activeElement === null || document.activeElement === document.body;
    if (askedBefore.current && waits && lost) open.current?.focus({ preventScroll: true });
    askedBefore.current = asked !== undefined;
  });
  return (
    <>
      <div role="status" class="question-banner">
        {waits ? (
          <Notice
            tone="info"
            icon="question"
            title={t("banner.questions", { count: questions.length })}
            testid="questions-banner"
          >
            <p>{t("banner.questionsText")}</p>
            <button
              ref={open}
              type="button"
              class="button"
              data-testid="questions-open"
              onClick={() => setPutOff(new Set())}
            >
              {t("banner.questionsOpen")}
            </button>
          </Notice>
        ) : null}
      </div>
      {asked === undefined ? null : (
        <Question
          key={asked.id}
          question={asked}
          at={questions.indexOf(asked) + 1}
          count={questions.length}
          node={node}
          onLater={() => setPutOff(new Set(questions.map(({ id }) => id)))}
        />
      )}
    </>
  );
}
