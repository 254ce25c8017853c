import type { ApiKey } from '@turnpike/client';
import { useMutation } from '@tanstack/react-query';
import { useState, type ReactElement } from 'react';
import { Button } from '../../parts/button.tsx';
import { membersOf } from '../../parts/members-of.ts';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { ShownOnce } from '../../parts/shown-once.tsx';
import { turnpike } from '../../session/session.ts';

type Grantable = Exclude<ApiKey['scopes'][number], 'operator'>;

const SCOPES = membersOf<Grantable>({
  'turns:read': true,
  'turns:write': true,
  'schedules:read': true,
  'schedules:write': true,
  'agents:read': true,
  'agents:write': true,
  'tools:read': true,
  'tools:write': true,
  'files:read': true,
  'files:write': true,
  mcp: true,
  'usage:read': true,
  'secrets:read': true,
  'secrets:use': true,
  'secrets:write': true,
  'webhooks:read': true,
  'webhooks:write': true,
  admin: true,
});

export function NewKey({ onCreated }: { onCreated(): void }): ReactElement {
  const [name, setName] = useState('');
  const [scopes, setScopes] = useState<Grantable[]>(['turns:read', 'turns:write']);
  const work = useMutation({
    mutationFn: () => turnpike.apiKeys.create({ name, scopes }),
    onSuccess: onCreated,
  });
  if (work.data !== undefined) return <ShownOnce name="API key" value={work.data.key} />;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        work.mutate();
      }}
    >
      <div className="field">
        <label htmlFor="key-name">Name</label>
        <input
          id="key-name"
          required
          maxLength={200}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
      </div>
      <fieldset className="scopes">
        <legend>Scopes</legend>
        {SCOPES.map((scope) => (
          <label key={scope} className="check">
            <input
              type="checkbox"
              checked={scopes.includes(scope)}
              onChange={(event) =>
                setScopes((before) =>
                  event.target.checked ? [...before, scope] : before.filter((each) => each !== scope),
                )
              }
            />{' '}
            {scope}
          </label>
        ))}
      </fieldset>
      <ProblemNote error={work.error} />
      <Button kind="primary" type="submit" isBusy={work.isPending} disabled={scopes.length === 0}>
        Create
      </Button>
    </form>
  );
}
