import type { ReactElement } from 'react';
import { Heading } from '../../parts/heading.tsx';
import { Tabs, type Tab } from '../../parts/tabs.tsx';
import { may } from '../../session/session.ts';
import { useSession } from '../../session/session-context.ts';
import { AuditLog } from './audit-log.tsx';
import { Keys } from './keys.tsx';
import { Limits } from './limits.tsx';
import { Secrets } from './secrets.tsx';

const TABS: readonly (Tab & { scope: string })[] = [
  { name: 'keys', title: 'API keys', scope: 'admin', content: () => <Keys /> },
  { name: 'secrets', title: 'Secrets', scope: 'secrets:read', content: () => <Secrets /> },
  { name: 'limits', title: 'Limits', scope: 'turns:read', content: () => <Limits /> },
  { name: 'audit', title: 'Audit log', scope: 'admin', content: () => <AuditLog /> },
];

export default function SettingsScreen(): ReactElement {
  const session = useSession();
  return (
    <>
      <Heading title="Settings" />
      <Tabs label="Settings" tabs={TABS.filter(({ scope }) => may(session, scope))} />
    </>
  );
}
