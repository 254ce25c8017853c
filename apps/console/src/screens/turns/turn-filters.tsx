import type { ReactElement } from 'react';
import { useSearchParams } from 'wouter';
import { Button } from '../../parts/button.tsx';
import { TextFilter } from '../../parts/text-filter.tsx';
import { useQueryParameter } from '../../parts/use-query-parameter.ts';
import { STATUSES } from './turn-filter.ts';

const FIELDS = [
  { name: 'agent', label: 'Agent id' },
  { name: 'session', label: 'Session id' },
  { name: 'metadata', label: 'Metadata (name=value)' },
] as const;

export function TurnFilters(): ReactElement {
  const [search, setSearch] = useSearchParams();
  const [status, setStatus] = useQueryParameter('status');
  const chosen = status.split(',').filter(Boolean);
  const toggle = (each: string): void =>
    setStatus(
      (chosen.includes(each) ? chosen.filter((other) => other !== each) : [...chosen, each]).join(','),
    );
  return (
    <div className="filters">
      <div role="group" aria-label="Statuses" className="chips">
        {STATUSES.map((each) => (
          <button
            key={each}
            type="button"
            className="chip"
            aria-pressed={chosen.includes(each)}
            onClick={() => toggle(each)}
          >
            {each.replaceAll('_', ' ')}
          </button>
        ))}
      </div>
      {FIELDS.map(({ name, label }) => (
        <TextFilter key={name} name={name} label={label} />
      ))}
      <TextFilter name="day" label="Day (UTC)" type="date" />
      {search.size > 0 && (
        <Button kind="quiet" onClick={() => setSearch({})}>
          Clear
        </Button>
      )}
    </div>
  );
}
