import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactElement } from 'react';
import { Button } from '../../parts/button.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { ShownOnce } from '../../parts/shown-once.tsx';
import { turnpike } from '../../session/session.ts';

export function NewEndpoint(): ReactElement {
  const [url, setUrl] = useState('');
  const queries = useQueryClient();
  const work = useMutation({
    mutationFn: () => turnpike.webhookEndpoints.create({ url }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['endpoints'] }),
  });
  if (work.data !== undefined) return <ShownOnce name="Signing secret" value={work.data.signing_secret} />;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        work.mutate();
      }}
    >
      <div className="field">
        <label htmlFor="endpoint-url">URL that receives all events</label>
        <input
          id="endpoint-url"
          type="url"
          required
          value={url}
          onChange={(event) => setUrl(event.target.value)}
        />
      </div>
      <ProblemNote error={work.error} />
      <Button kind="primary" type="submit" isBusy={work.isPending}>
        Create
      </Button>
    </form>
  );
}
