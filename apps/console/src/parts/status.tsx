import type { ReactElement } from 'react';

type Tone = 'good' | 'bad' | 'wait' | 'run' | 'rest';

/** A shape besides the colour: not everybody sees colours. */
const SHAPES: Readonly<Record<Tone, string>> = {
  good: 'M3.5 8.5l3 3 6-7',
  bad: 'M4 4l8 8M12 4l-8 8',
  wait: 'M8 3v6M8 12.2v.3',
  run: 'M5 3.5l7 4.5-7 4.5z',
  rest: 'M4 8h8',
};

const TONES: Readonly<Record<string, Tone>> = {
  completed: 'good',
  delivered: 'good',
  enabled: 'good',
  active: 'good',
  failed: 'bad',
  dead: 'bad',
  revoked: 'bad',
  disabled: 'bad',
  refused: 'bad',
  unknown: 'wait',
  requires_action: 'wait',
  incomplete: 'wait',
  missed: 'wait',
  paused: 'wait',
  in_progress: 'run',
  started: 'run',
  cancelling: 'run',
};

/** A status as the API names it, in words, with a shape and a colour. */
export function Status({ status }: { status: string }): ReactElement {
  const tone = TONES[status] ?? 'rest';
  return (
    <span className={`status ${tone}`}>
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <path d={SHAPES[tone]} />
      </svg>
      {status.replaceAll('_', ' ')}
    </span>
  );
}
