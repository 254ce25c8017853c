import type { ReactElement } from 'react';

/** A secret that the API gives once. Undefined where its response was lost. */
export function ShownOnce({ name, value }: { name: string; value: string | undefined }): ReactElement {
  if (value === undefined)
    return (
      <p role="alert" className="problem">
        The response with it was lost, and it is not shown again: make another one.
      </p>
    );
  return (
    <div className="field">
      <label htmlFor="shown-once">{name}: it is shown only now</label>
      <input
        id="shown-once"
        className="code"
        readOnly
        value={value}
        onFocus={(event) => event.target.select()}
      />
    </div>
  );
}
