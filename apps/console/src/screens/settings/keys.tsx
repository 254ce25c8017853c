import type { ApiKey } from '@turnpike/client';
import { useQueryClient } from '@tanstack/react-query';
import { useState, type ReactElement } from 'react';
import { Button } from '../../parts/button.tsx';
import { ConfirmButton } from '../../parts/confirm-button.tsx';
import { Dialog } from '../../parts/dialog.tsx';
import { More, useList } from '../../parts/more.tsx';
import { OutsideLine } from '../../parts/outside-text.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { Status } from '../../parts/status.tsx';
import { Table } from '../../parts/table.tsx';
import { When } from '../../parts/when.tsx';
import { useSession } from '../../session/session-context.ts';
import { turnpike } from '../../session/session.ts';
import { NewKey } from './new-key.tsx';

export function Keys(): ReactElement {
  const { keyId } = useSession();
  const [isNew, setNew] = useState(false);
  const queries = useQueryClient();
  const list = useList(['keys'], (signal) => turnpike.apiKeys.list({ limit: 100 }, { signal }));
  const refresh = (): void => void queries.invalidateQueries({ queryKey: ['keys'] });
  return (
    <>
      <div className="actions">
        <Button onClick={() => setNew(true)}>New key</Button>
      </div>
      {isNew && (
        <Dialog title="New API key" onClose={() => setNew(false)}>
          <NewKey onCreated={refresh} />
        </Dialog>
      )}
      <ProblemNote error={list.error} />
      <Table
        label="API keys"
        head={
          <>
            <th>Name</th>
            <th>State</th>
            <th>Ends in</th>
            <th>Scopes</th>
            <th>Used</th>
            <th>Expires</th>
            <th>
              <span className="unseen">Acts</span>
            </th>
          </>
        }
      >
        {list.items.map((key) => (
          <tr key={key.id}>
            <td>
              <OutsideLine text={key.name} most={60} />
              {key.id === keyId && <span className="badge">this session</span>}
            </td>
            <td>
              <Status status={stateOf(key)} />
            </td>
            <td>
              <code>{key.last_four}</code>
            </td>
            <td>{key.scopes.join(' ')}</td>
            <td>
              <When at={key.last_used_at} />
            </td>
            <td>
              <When at={key.expires_at} />
            </td>
            <td>
              {stateOf(key) === 'enabled' && (
                <ConfirmButton
                  label="Revoke"
                  title={`Revoke the key “${key.name}”?`}
                  act={() => turnpike.apiKeys.revoke(key.id)}
                  onDone={refresh}
                >
                  <p>It stops working everywhere within a second{key.id === keyId ? ', also here' : ''}.</p>
                </ConfirmButton>
              )}
            </td>
          </tr>
        ))}
      </Table>
      <More list={list} />
    </>
  );
}

function stateOf({ revoked_at: revoked, expires_at: expires }: ApiKey): 'revoked' | 'expired' | 'enabled' {
  if (revoked !== null) return 'revoked';
  return expires !== null && Date.parse(expires) < Date.now() ? 'expired' : 'enabled';
}
