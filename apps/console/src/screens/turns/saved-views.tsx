import { useState, type ReactElement } from 'react';
import { useSearchParams } from 'wouter';
import { Button } from '../../parts/button.tsx';

const NAME = 'turnpike-views';
const MOST = 20;

interface View {
  name: string;
  search: string;
}

/** Filters under a name, kept in this browser. */
export function SavedViews(): ReactElement {
  const [search, setSearch] = useSearchParams();
  const [views, setViews] = useState(readViews);
  const current = search.toString();
  const known = views.find((view) => view.search === current);
  const keep = (next: View[]): void => {
    window.localStorage.setItem(NAME, JSON.stringify(next));
    setViews(next);
  };
  const save = (): void => {
    const name = window.prompt('Name of this view')?.trim().slice(0, 60) ?? '';
    if (name !== '')
      keep([...views.filter((view) => view.name !== name), { name, search: current }].slice(-MOST));
  };
  return (
    <>
      {views.length > 0 && (
        <select
          aria-label="Saved views"
          value={known?.search ?? '-'}
          onChange={(event) => setSearch(event.target.value)}
        >
          <option value="-" disabled>
            Saved views
          </option>
          {views.map((view) => (
            <option key={view.name} value={view.search}>
              {view.name}
            </option>
          ))}
        </select>
      )}
      {current !== '' && known === undefined && <Button onClick={save}>Save view</Button>}
      {known !== undefined && (
        <Button onClick={() => keep(views.filter((view) => view !== known))}>Remove view</Button>
      )}
    </>
  );
}

function readViews(): View[] {
  try {
    const kept: unknown = JSON.parse(window.localStorage.getItem(NAME) ?? '[]');
    return Array.isArray(kept) ? kept.filter(isView) : [];
  } catch {
    return [];
  }
}

function isView(value: unknown): value is View {
  return typeof value === 'object' && value !== null && 'name' in value && 'search' in value;
}
