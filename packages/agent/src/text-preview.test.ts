import { expect, test } from '@jest/globals';
import { LeaseLostError } from '@turnpike/contract';
import type { TurnLease } from './ports.ts';
import { TextPreview } from './text-preview.ts';

/** The part of a lease that shows text. */
class PreviewLease implements Pick<TurnLease, 'eventCount' | 'show'> {
  eventCount = 3;
  readonly shown: string[] = [];
  show({ attempt, text }: { attempt: number; text: string }): void {
    this.shown.push(`${attempt}: ${text}`);
  }
}

const previewUnder = (lease: PreviewLease): TextPreview => new TextPreview(lease, 0);

test('text is shown as it comes, with the number of the newest event when it began', () => {
  const lease = new PreviewLease();
  const preview = previewUnder(lease);
  preview.add('Hel');
  preview.add('lo');
  expect(lease.shown).toEqual(['3: Hel', '3: lo']);
});

test('text of a new try waits until the restart is committed, also where it is restarted again', async () => {
  const lease = new PreviewLease();
  const preview = previewUnder(lease);
  preview.add('First');
  const commits = [1, 2].map(() => {
    let done: () => void = () => undefined;
    return { committed: new Promise<void>((resolve) => (done = resolve)), done: () => done() };
  });
  const restarts = commits.map(({ committed }, position) => {
    const restart = preview.restart(committed);
    preview.add(position === 0 ? 'never shown' : 'Third');
    return restart;
  });
  lease.eventCount = 4;
  commits[0]?.done();
  await restarts[0];
  expect(lease.shown).toEqual(['3: First']);
  lease.eventCount = 5;
  commits[1]?.done();
  await restarts[1];
  preview.add(', whole');
  expect(lease.shown).toEqual(['3: First', '5: Third', '5: , whole']);
});

test('nothing more is shown where a restart could not be committed', async () => {
  const lease = new PreviewLease();
  const preview = previewUnder(lease);
  const restart = preview.restart(Promise.reject(new LeaseLostError('turn_1')));
  preview.add('Second');
  await expect(restart).rejects.toThrow(LeaseLostError);
  preview.add('Third');
  expect(lease.shown).toEqual([]);
});
