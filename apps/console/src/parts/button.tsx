import type { ComponentProps, ReactElement } from 'react';

interface Props extends ComponentProps<'button'> {
  kind?: 'primary' | 'plain' | 'danger' | 'quiet';
  /** What it does is under way: it cannot be pressed again. */
  isBusy?: boolean;
}

export function Button({ kind = 'plain', isBusy = false, disabled, children, ...rest }: Props): ReactElement {
  return (
    <button
      type="button"
      {...rest}
      className={kind === 'plain' ? 'button' : `button ${kind}`}
      disabled={disabled === true || isBusy}
      aria-busy={isBusy}
    >
      {children}
    </button>
  );
}
