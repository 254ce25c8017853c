import { useEffect, useRef, useState, type ReactElement, type ReactNode } from 'react';
import { Link, useLocation } from 'wouter';
import { Button } from '../parts/button.tsx';
import { may } from '../session/session.ts';
import { useSession } from '../session/session-context.ts';
import { Away } from './away.tsx';
import { Find } from './find.tsx';
import { InboxCount } from './inbox-count.tsx';
import { readTheme, setTheme, type Theme } from './theme.ts';

interface Screen {
  to: string;
  name: string;
  /** What the key needs to see it. */
  scope: string;
}

const SCREENS: readonly Screen[] = [
  { to: '/turns', name: 'Turns', scope: 'turns:read' },
  { to: '/inbox', name: 'Inbox', scope: 'turns:read' },
  { to: '/sessions', name: 'Sessions', scope: 'turns:read' },
  { to: '/playground', name: 'Playground', scope: 'turns:write' },
  { to: '/batches', name: 'Batches', scope: 'turns:read' },
  { to: '/schedules', name: 'Schedules', scope: 'schedules:read' },
  { to: '/agents', name: 'Agents', scope: 'agents:read' },
  { to: '/tools', name: 'Tools', scope: 'tools:read' },
  { to: '/webhooks', name: 'Webhooks', scope: 'webhooks:read' },
  { to: '/usage', name: 'Usage', scope: 'usage:read' },
  { to: '/settings', name: 'Settings', scope: 'turns:read' },
  { to: '/workers', name: 'Workers', scope: 'operator' },
  { to: '/tenants', name: 'Tenants', scope: 'operator' },
];

const NEXT_THEME: Record<Theme, Theme> = { system: 'light', light: 'dark', dark: 'system' };

/** What is around every screen. */
export function Shell(props: { onSignOut(): void; children: ReactNode }): ReactElement {
  const session = useSession();
  const [location] = useLocation();
  const [theme, setShownTheme] = useState(readTheme);
  const main = useRef<HTMLElement>(null);
  const nav = useRef<HTMLElement>(null);
  const screens = SCREENS.filter(({ scope }) => may(session, scope));
  useEffect(() => {
    const screen = SCREENS.find(({ to }) => location.startsWith(to));
    document.title = screen === undefined ? 'Turnpike' : `${screen.name} · Turnpike`;
    main.current?.scrollTo(0, 0);
    // On a phone the screens are a line that is wider than the page.
    nav.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [location]);
  const changeTheme = (): void => {
    setTheme(NEXT_THEME[theme]);
    setShownTheme(NEXT_THEME[theme]);
  };
  return (
    <div className="shell">
      <a className="skip" href="#main" onClick={() => main.current?.focus()}>
        Skip to the screen
      </a>
      <header>
        <span className="brand">Turnpike</span>
        <Find />
        <Button kind="quiet" onClick={changeTheme} title="Colours: as the system, light or dark">
          {theme === 'system' ? 'Auto' : theme === 'light' ? 'Light' : 'Dark'}
        </Button>
        <Button kind="quiet" title={`${session.tenantId}, ${session.keyId}`} onClick={props.onSignOut}>
          Sign out
        </Button>
      </header>
      <nav aria-label="Screens" ref={nav}>
        {screens.map(({ to, name }) => (
          <Link key={to} href={to} aria-current={location.startsWith(to) ? 'page' : undefined}>
            {name}
            {to === '/inbox' && <InboxCount />}
          </Link>
        ))}
      </nav>
      <main id="main" ref={main} tabIndex={-1}>
        <Away />
        {props.children}
      </main>
    </div>
  );
}
