import type { WebhookEndpoint } from '@turnpike/client';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactElement } from 'react';
import { Button } from '../../parts/button.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { ShownOnce } from '../../parts/shown-once.tsx';
import { turnpike } from '../../session/session.ts';

export function NewEndpoint(): ReactElement {
  const [url, setUrl] = useState('');
  const [format, setFormat] = useState<WebhookEndpoint['format']>('turnpike');
  const queries = useQueryClient();
  const work = useMutation({
    mutationFn: () => turnpike.webhookEndpoints.create({ url, format }),
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
      <div className="field">
        <label htmlFor="endpoint-format">Format</label>
        <select
          id="endpoint-format"
          value={format}
          onChange={(event) => setFormat(event.target.value === 'openai' ? 'openai' : 'turnpike')}
        >
          <option value="turnpike">Turnpike</option>
          <option value="openai">OpenAI: its client reads them</option>
        </select>
      </div>
      <ProblemNote error={work.error} />
      <Button kind="primary" type="submit" isBusy={work.isPending}>
        Create
      </Button>
    </form>
  );
}
