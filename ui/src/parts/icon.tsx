const SHAPES = {
  run: "M8 5.5v13l10.5-6.5z",
  pause: "M7 5h3.5v14H7zM13.5 5H17v14h-3.5z",
  stop: "M8 3h8l5 5v8l-5 5H8l-5-5V8zM7.5 10.75v2.5h9v-2.5z",
  warn: "M12 3 1.8 20.5h20.4zM11 9.5h2v5.5h-2zM11 16.5h2v2h-2z",
  start: "M12 3a9 9 0 1 0 9 9h-2.5A6.5 6.5 0 1 1 12 5.5z",
  idle: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zm0 2.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13z",
  yes: "M9.5 18.5 3.5 12.5l1.8-1.8 4.2 4.2 9.2-9.2 1.8 1.8z",
  no: "M6.3 4.5 12 10.2l5.7-5.7 1.8 1.8L13.8 12l5.7 5.7-1.8 1.8-5.7-5.7-5.7 5.7-1.8-1.8 5.7-5.7-5.7-5.7z",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zm0 2.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zM11 7.5h2v4.1l3 3-1.4 1.4-3.6-3.6z",
  question:
    "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zm0 2a7 7 0 1 1 0 14 7 7 0 0 1 0-14zM11 15.5h2v2h-2zM8.6 9.6a3.4 3.4 0 1 1 4.9 3l-.5.4v1.3h-2v-2.2l1.5-1a1.5 1.5 0 1 0-2-1.5z",
  down: "M5.6 8.2 12 14.6l6.4-6.4 1.6 1.6-8 8-8-8z",
} as const;

export type IconName = keyof typeof SHAPES;

/** A decorative sign; the words beside it carry the meaning. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg class={`icon icon-${name}`} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={SHAPES[name]} fill-rule="evenodd" />
    </svg>
  );
}
