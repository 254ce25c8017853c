import { useEffect, useRef, useState, type KeyboardEvent, type ReactNode } from 'react';

interface Given {
  isRunning: boolean;
  onSend: (text: string) => void;
  onStop: () => void;
}

/** What the user writes. It keeps the focus, also after what was pressed is gone. */
export function Composer({ isRunning, onSend, onStop }: Given): ReactNode {
  const [text, setText] = useState('');
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (document.activeElement === document.body) field.current?.focus();
  }, [isRunning]);

  const send = (): void => {
    if (isRunning || text.trim() === '') return;
    onSend(text);
    setText('');
    field.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    send();
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <label htmlFor="message">Message</label>
      <textarea
        id="message"
        ref={field}
        rows={3}
        value={text}
        onChange={({ target }) => setText(target.value)}
        onKeyDown={onKeyDown}
      />
      <div>
        <button type="submit" disabled={isRunning}>
          Send
        </button>
        <button type="button" disabled={!isRunning} onClick={onStop}>
          Stop
        </button>
      </div>
    </form>
  );
}
