import type { Turn } from '@turnpike/client';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useRef, type ReactElement } from 'react';
import { Link } from 'wouter';
import { dollars, duration, tokens } from '../../parts/figures.ts';
import { shortId } from '../../parts/id-text.tsx';
import { OutsideLine } from '../../parts/outside-text.tsx';
import { Status } from '../../parts/status.tsx';
import { When } from '../../parts/when.tsx';

const ROW_PX = 44;

/** A table that draws only the rows that are seen, however many were read. */
export function TurnRows({ turns }: { turns: readonly Turn[] }): ReactElement {
  const box = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: turns.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
  });
  return (
    <div
      className="turn-table"
      role="table"
      aria-label="Turns"
      aria-rowcount={turns.length + 1}
      tabIndex={0}
      ref={box}
    >
      <div className="turn-row head" role="row">
        {['Status', 'Turn', 'Output', 'Steps', 'Tokens', 'Cost', 'Took', 'Created'].map((name) => (
          <span key={name} role="columnheader">
            {name}
          </span>
        ))}
      </div>
      <div role="rowgroup" style={{ height: rows.getTotalSize(), position: 'relative' }}>
        {rows.getVirtualItems().map(({ index, start }) => {
          const turn = turns[index];
          return turn === undefined ? null : <Row key={turn.id} turn={turn} index={index} start={start} />;
        })}
      </div>
    </div>
  );
}

function Row({ turn, index, start }: { turn: Turn; index: number; start: number }): ReactElement {
  return (
    <div
      className="turn-row"
      role="row"
      aria-rowindex={index + 2}
      style={{
        position: 'absolute',
        top: 0,
        left: 0,
        right: 0,
        height: ROW_PX,
        transform: `translateY(${String(start)}px)`,
      }}
    >
      <span role="cell">
        <Status status={turn.status} />
      </span>
      <span role="cell">
        <Link href={`/turns/${turn.id}`} title={turn.id}>
          {shortId(turn.id)}
        </Link>
      </span>
      <span role="cell">
        <Summary turn={turn} />
      </span>
      <span role="cell" className="number">
        {turn.step_count}
      </span>
      <span role="cell" className="number">
        {tokens(turn.usage)}
      </span>
      <span role="cell" className="number">
        {dollars(turn.cost_micros)}
      </span>
      <span role="cell" className="number">
        {took(turn)}
      </span>
      <span role="cell">
        <When at={turn.created_at} />
      </span>
    </div>
  );
}

function Summary({ turn }: { turn: Turn }): ReactElement {
  const { error, required_action: action, waiting_for: waiting } = turn;
  if (error !== null) return <OutsideLine text={`${error.code}: ${error.message}`} />;
  if (action !== null)
    return (
      <OutsideLine
        text={action.tool_calls.map(({ name, awaiting }) => `${name} awaits ${awaiting}`).join(', ')}
      />
    );
  if (waiting !== null) return <OutsideLine text={`waits for a worker of the pool ${waiting.pool}`} />;
  return <OutsideLine text={turn.output_text ?? ''} />;
}

function took({ started_at: from, finished_at: to }: Turn): string {
  return from === null || to === null ? '–' : duration(Date.parse(to) - Date.parse(from));
}
