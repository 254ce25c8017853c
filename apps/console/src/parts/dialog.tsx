import { useId, useLayoutEffect, useRef, type ReactElement, type ReactNode } from 'react';

/** A dialog of the browser's: it keeps the focus inside, and Escape closes it. */
export function Dialog(props: { title: string; onClose(): void; children: ReactNode }): ReactElement {
  const dialog = useRef<HTMLDialogElement>(null);
  const title = useId();
  // Closed while it is still in the page, it gives the focus back.
  useLayoutEffect(() => {
    const opened = dialog.current;
    opened?.showModal();
    return () => opened?.close();
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby={title} onClose={props.onClose}>
      <h2 id={title}>{props.title}</h2>
      {props.children}
    </dialog>
  );
}
