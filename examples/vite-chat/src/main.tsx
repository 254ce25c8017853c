import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Conversation } from './conversation.tsx';

const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

/** The address names the chat: a page that is reloaded, or opened elsewhere, shows the same one. */
function idOfChat(): string {
  const address = new URL(location.href);
  const named = address.searchParams.get('chat') ?? '';
  const id = UUID.test(named) ? named : crypto.randomUUID();
  address.searchParams.set('chat', id);
  history.replaceState(null, '', address);
  return id;
}

const root = document.querySelector('#root');
if (root !== null)
  createRoot(root).render(
    <StrictMode>
      <Conversation id={idOfChat()} />
    </StrictMode>,
  );
