import type { Agent } from '@turnpike/client';
import { useState, type ReactElement } from 'react';
import { ConfirmButton } from '../../parts/confirm-button.tsx';
import { More, useList } from '../../parts/more.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { visibleText } from '../../parts/visible-text.ts';
import { When } from '../../parts/when.tsx';
import { useMay } from '../../session/session-context.ts';
import { turnpike } from '../../session/session.ts';
import { compareLines } from './compare-lines.ts';
import { configurationOf } from './configuration-of.ts';

/** The versions of an agent; one of them beside the newest, with what differs. */
export function Versions({ agent, onRestored }: { agent: Agent; onRestored(): void }): ReactElement {
  const mayWrite = useMay('agents:write');
  const list = useList(['versions', agent.id], (signal) =>
    turnpike.agents.versions(agent.id, { limit: 50 }, { signal }),
  );
  const [chosen, setChosen] = useState<number | null>(null);
  const compared = list.items.find(({ version }) => version === (chosen ?? agent.version - 1));
  return (
    <>
      <ProblemNote error={list.error} />
      <div role="group" aria-label="Versions" className="chips">
        {list.items.map(({ version, updated_at: at }) => (
          <button
            key={version}
            type="button"
            className="chip"
            aria-pressed={version === compared?.version}
            onClick={() => setChosen(version)}
          >
            {version} · <When at={at} />
          </button>
        ))}
      </div>
      <More list={list} />
      {compared !== undefined && (
        <>
          <p>
            Version {compared.version} beside version {agent.version}, the newest.
          </p>
          <Comparison left={compared} right={agent} />
          {mayWrite && compared.version !== agent.version && (
            <ConfirmButton
              label={`Restore version ${String(compared.version)}`}
              title={`Restore version ${String(compared.version)}?`}
              kind="primary"
              act={() => turnpike.agents.restore(agent.id, compared.version)}
              onDone={onRestored}
            >
              <p>It becomes a new version. Turns that were accepted keep theirs.</p>
            </ConfirmButton>
          )}
        </>
      )}
    </>
  );
}

function Comparison({ left, right }: { left: Agent; right: Agent }): ReactElement {
  const lines = compareLines(linesOf(left), linesOf(right));
  return (
    <div className="comparison code" tabIndex={0} role="region" aria-label="What differs">
      {lines.map(({ text, side }, index) => (
        // eslint-disable-next-line react/no-array-index-key -- lines repeat, and do not move
        <div key={index} className={`compared ${side}`}>
          <span
            aria-label={side === 'both' ? undefined : side === 'left' ? 'only before' : 'only in the newest'}
            role={side === 'both' ? undefined : 'img'}
          >
            {side === 'both' ? ' ' : side === 'left' ? '−' : '+'}
          </span>
          <bdi>{visibleText(text.slice(0, 2_000))}</bdi>
        </div>
      ))}
    </div>
  );
}

const linesOf = (agent: Agent): string[] => JSON.stringify(configurationOf(agent), null, 2).split('\n');
