import { useId, type KeyboardEvent, type ReactElement, type ReactNode } from 'react';
import { useQueryParameter } from './use-query-parameter.ts';

export interface Tab {
  name: string;
  title: string;
  content(): ReactNode;
}

/** Tabs, the open one in the URL. Arrow keys move between them. */
export function Tabs({ label, tabs }: { label: string; tabs: readonly Tab[] }): ReactElement {
  const [name, setName] = useQueryParameter('tab');
  const id = useId();
  const open = tabs.find((tab) => tab.name === name) ?? tabs[0];
  const onKey = (event: KeyboardEvent<HTMLDivElement>): void => {
    const move = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (move === 0 || open === undefined) return;
    const next = tabs[(tabs.indexOf(open) + move + tabs.length) % tabs.length];
    if (next === undefined) return;
    setName(next.name);
    event.currentTarget.querySelector<HTMLElement>(`[data-name="${next.name}"]`)?.focus();
  };
  return (
    <>
      <div role="tablist" aria-label={label} className="tabs" onKeyDown={onKey}>
        {tabs.map((tab) => (
          <button
            key={tab.name}
            type="button"
            role="tab"
            id={`${id}${tab.name}`}
            data-name={tab.name}
            aria-selected={tab === open}
            aria-controls={`${id}panel`}
            tabIndex={tab === open ? 0 : -1}
            onClick={() => setName(tab.name)}
          >
            {tab.title}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`${id}panel`} aria-labelledby={`${id}${open?.name ?? ''}`}>
        {open?.content()}
      </div>
    </>
  );
}
