import { defineTool } from '@turnpike/worker';
import { z } from 'zod';
import { askShop } from './shop.ts';

/**
 * Effect `once`: a mail server neither discards duplicates nor tells what it sent. After a crash in the midst of it
 * nobody knows, so the e-mail is not sent again by itself: a person is asked.
 */
export const sendEmail = defineTool({
  name: 'send_email',
  description: 'Sends an e-mail to a customer.',
  input: z.object({ to: z.email(), subject: z.string().min(1).max(200), text: z.string().max(20_000) }),
  effect: 'once',
  onUnknown: 'ask',
  timeoutMs: 20_000,
  async run(mail, call) {
    await askShop(call, 'POST', '/mails', { body: mail });
    return `Sent to ${mail.to}.`;
  },
});
