import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { PauseUntil } from "../node";
import { t } from "../translation";
import { Icon } from "./icon";

const CHOICES = [
  ["hour", "actions.pauseHour"],
  ["tomorrow", "actions.pauseTomorrow"],
  ["resumed", "actions.pauseResumed"],
] as const;

/** The button "Pause" with its menu: how long. */
export function PauseMenu({ onPause }: { onPause: (until: PauseUntil) => void }) {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const menu = useRef<HTMLDivElement>(null);
  const items = () => [...(menu.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])];

  useLayoutEffect(() => {
    if (open) items()[0]?.focus();
  }, [open]);

  const close = () => {
    setOpen(false);
    button.current?.focus();
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const all = items();
    const at = all.indexOf(document.activeElement as HTMLElement);
    const places: Record<string, number> = {
      ArrowDown: (at + 1) % all.length,
      ArrowUp: (at - 1 + all.length) % all.length,
      Home: 0,
      End: all.length - 1,
    };
    const place = places[event.key];
    if (place !== undefined) all[place]?.focus();
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div
      class="menu-holder"
      onFocusOut={(event) => {
        const to = event.relatedTarget;
        if (!(to instanceof Node && event.currentTarget.contains(to))) setOpen(false);
      }}
    >
      <button
        ref={button}
        type="button"
        // Without it some web views do not focus a clicked button, and the menu could not close on it.
        tabIndex={0}
        class="button"
        data-testid="pause"
        aria-haspopup="menu"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
        onKeyDown={(event) => {
          if (event.key !== "ArrowDown") return;
          event.preventDefault();
          setOpen(true);
        }}
      >
        <Icon name="pause" />
        {t("actions.pause")}
        <Icon name="down" />
      </button>
      {open ? (
        <div ref={menu} class="menu" role="menu" aria-label={t("actions.pauseFor")} onKeyDown={onKeyDown}>
          {CHOICES.map(([until, text]) => (
            <button
              key={until}
              type="button"
              role="menuitem"
              tabIndex={-1}
              class="menu-item"
              data-testid={`pause-${until}`}
              onClick={() => {
                close();
                onPause(until);
              }}
            >
              {t(text)}
            </button>
          ))}
        </div>
      ) : null}
    </div>
  );
}
