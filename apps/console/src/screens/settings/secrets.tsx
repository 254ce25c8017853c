import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactElement } from 'react';
import { Button } from '../../parts/button.tsx';
import { ConfirmButton } from '../../parts/confirm-button.tsx';
import { Empty } from '../../parts/heading.tsx';
import { Listing } from '../../parts/listing.tsx';
import { useList } from '../../parts/more.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { Table } from '../../parts/table.tsx';
import { When } from '../../parts/when.tsx';
import { useMay } from '../../session/session-context.ts';
import { turnpike } from '../../session/session.ts';

/** Names of secrets. Values are written here, and never read. */
export function Secrets(): ReactElement {
  const mayWrite = useMay('secrets:write');
  const queries = useQueryClient();
  const list = useList(['secrets'], (signal) => turnpike.secrets.list({ limit: 100 }, { signal }));
  const refresh = (): void => void queries.invalidateQueries({ queryKey: ['secrets'] });
  return (
    <>
      <Listing list={list} empty={<Empty title="No secrets" />}>
        <Table
          label="Secrets"
          head={
            <>
              <th>Name</th>
              <th>Ends in</th>
              <th className="number">Version</th>
              <th>Hosts</th>
              <th>Changed</th>
              <th>
                <span className="unseen">Acts</span>
              </th>
            </>
          }
        >
          {list.items.map((secret) => (
            <tr key={secret.name}>
              <td>
                <code>{secret.name}</code>
                {secret.model_key && <span className="badge">model key</span>}
              </td>
              <td>
                <code>{secret.last_four}</code>
              </td>
              <td className="number">{secret.version}</td>
              <td>{secret.allowed_hosts?.join(', ') ?? 'any'}</td>
              <td>
                <When at={secret.updated_at} />
              </td>
              <td>
                {mayWrite && (
                  <ConfirmButton
                    label="Delete"
                    title={`Delete the secret “${secret.name}”?`}
                    act={() => turnpike.secrets.delete(secret.name)}
                    onDone={refresh}
                  >
                    <p>Tools and model calls that name it fail from then on.</p>
                  </ConfirmButton>
                )}
              </td>
            </tr>
          ))}
        </Table>
      </Listing>
      {mayWrite && <PutSecret onPut={refresh} />}
    </>
  );
}

function PutSecret({ onPut }: { onPut(): void }): ReactElement {
  const [name, setName] = useState('');
  const [value, setValue] = useState('');
  const work = useMutation({
    mutationFn: () => turnpike.secrets.put(name, value),
    onSuccess: () => {
      setName('');
      setValue('');
      onPut();
    },
  });
  return (
    <form
      className="actions"
      onSubmit={(event) => {
        event.preventDefault();
        work.mutate();
      }}
    >
      <input
        aria-label="Name of the secret"
        placeholder="Name"
        required
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <input
        aria-label="Value of the secret"
        placeholder="Value"
        type="password"
        autoComplete="off"
        required
        value={value}
        onChange={(event) => setValue(event.target.value)}
      />
      <Button type="submit" isBusy={work.isPending}>
        Save secret
      </Button>
      <ProblemNote error={work.error} />
    </form>
  );
}
