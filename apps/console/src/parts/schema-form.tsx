import { useId, type ReactElement } from 'react';
import { visibleText } from './visible-text.ts';

type Schema = Readonly<Record<string, unknown>>;

/**
 * A form for a value of a JSON Schema: fields for its plain properties, JSON for all else. The API decides whether the
 * value is valid.
 */
export function SchemaForm(props: {
  schema: Schema;
  value: unknown;
  onChange(value: unknown): void;
}): ReactElement {
  const { schema, value, onChange } = props;
  const properties = isObject(schema['properties']) ? schema['properties'] : null;
  if (properties === null || Object.keys(properties).length > 30) {
    return <Field name="Answer" schema={schema} value={value} onChange={onChange} />;
  }
  const fields = isObject(value) ? value : {};
  return (
    <>
      {Object.entries(properties).map(([name, each]) => (
        <Field
          key={name}
          name={name}
          schema={isObject(each) ? each : {}}
          value={fields[name]}
          onChange={(changed) => onChange({ ...fields, [name]: changed })}
        />
      ))}
    </>
  );
}

function Field(props: {
  name: string;
  schema: Schema;
  value: unknown;
  onChange(value: unknown): void;
}): ReactElement {
  const id = useId();
  const { name, schema, value, onChange } = props;
  const { type, enum: choices, description } = schema;
  return (
    <div className="field">
      <label htmlFor={id}>{visibleText(name.slice(0, 200))}</label>
      {typeof description === 'string' && <p className="muted">{visibleText(description.slice(0, 500))}</p>}
      {Array.isArray(choices) ? (
        <select
          id={id}
          value={JSON.stringify(value) ?? ''}
          onChange={(event) =>
            onChange(event.target.value === '' ? undefined : JSON.parse(event.target.value))
          }
        >
          <option value="">–</option>
          {choices.slice(0, 200).map((choice) => (
            <option key={JSON.stringify(choice)} value={JSON.stringify(choice)}>
              {visibleText(String(choice).slice(0, 200))}
            </option>
          ))}
        </select>
      ) : type === 'boolean' ? (
        <input
          id={id}
          type="checkbox"
          checked={value === true}
          onChange={(event) => onChange(event.target.checked)}
        />
      ) : type === 'number' || type === 'integer' ? (
        <input
          id={id}
          type="number"
          step={type === 'integer' ? 1 : 'any'}
          value={typeof value === 'number' ? value : ''}
          onChange={(event) => onChange(event.target.value === '' ? undefined : event.target.valueAsNumber)}
        />
      ) : type === 'string' ? (
        <input
          id={id}
          value={typeof value === 'string' ? value : ''}
          onChange={(event) => onChange(event.target.value)}
        />
      ) : (
        <textarea
          id={id}
          className="code"
          rows={3}
          placeholder="JSON"
          onChange={(event) => onChange(parseOrText(event.target.value))}
        />
      )}
    </div>
  );
}

function parseOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
