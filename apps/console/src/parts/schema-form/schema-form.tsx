import { useId, useRef, useState, type ReactElement } from 'react';
import { Boundary } from '../boundary.tsx';
import { Button } from '../button.tsx';
import { visibleText } from '../visible-text.ts';
import {
  BooleanControl,
  ChoiceControl,
  ChoicesControl,
  JsonControl,
  NumberControl,
  shownLabel,
  TextControl,
  type ControlProps,
} from './controls.tsx';
import {
  changeMember,
  initialValue,
  isNullable,
  isObject,
  kindOf,
  leastItems,
  objectValue,
  problemOf,
  requiredOf,
  resolveSchema,
  type Depth,
  type FieldKind,
  type Schema,
} from './form-schema.ts';

const MOST_DESCRIPTION = 500;

interface Given extends Depth {
  schema: Schema;
  value: unknown;
  /** `undefined`: it is left out. */
  onChange(value: unknown): void;
}

interface FieldProps extends Given {
  name: string;
  isRequired: boolean;
}

/**
 * Fields for a value of a JSON Schema, to be shown within a form. What is wrong stands beside its field, and keeps the
 * form from being submitted; the API decides whether the value is valid. What no field can say is written as JSON.
 */
export function SchemaForm(props: {
  schema: Schema;
  /** Of the field, where the value is not an object. */
  label: string;
  /** Begins as `formValue`. */
  value: unknown;
  onChange(value: unknown): void;
}): ReactElement {
  const { label, value, onChange, schema: root } = props;
  const [isJson, setJson] = useState(false);
  const schema = resolveSchema(root, root);
  const own: Given = { root, depth: 0, schema, value, onChange };
  const { kind } = kindOf(schema, own, value);
  const asJson = <ValueField {...own} name={`${label} (JSON)`} isRequired field={{ kind: 'json' }} />;
  if (isJson) return asJson;
  return (
    <>
      <Boundary fallback={asJson}>
        {kind === 'object' ? <Members {...own} /> : <Field {...own} name={label} isRequired />}
      </Boundary>
      {kind !== 'json' && (
        <Button kind="quiet" onClick={() => setJson(true)}>
          Write it as JSON
        </Button>
      )}
    </>
  );
}

export const formValue = (schema: Schema): unknown =>
  initialValue(schema, { root: schema, depth: 0, isRequired: true });

function Field(props: FieldProps): ReactElement {
  const { root, depth, name, isRequired, value, onChange } = props;
  const schema = resolveSchema(props.schema, root);
  const { title } = schema;
  const field = kindOf(schema, { root, depth }, value);
  const shown = shownLabel(typeof title === 'string' && title.trim() !== '' ? title : name) || 'No name';
  const own = {
    ...props,
    schema,
    name: isRequired ? shown : `${shown} (optional)`,
    // Nothing is null where it may be, and must be given.
    onChange: (changed: unknown) =>
      onChange(changed === undefined && isRequired && isNullable(schema) ? null : changed),
  };
  if (field.kind === 'object') return <ObjectField {...own} />;
  if (field.kind === 'list') return <ListField {...own} field={field} />;
  return <ValueField {...own} field={field} />;
}

/** A field for each property of an object. */
function Members({ root, depth, schema, value, onChange }: Given): ReactElement {
  const field = kindOf(schema, { root, depth });
  const members = isObject(value) ? value : {};
  const required = requiredOf(schema, members);
  return (
    <>
      {field.kind === 'object' &&
        field.properties.map(([name, each]) => (
          <Field
            key={name}
            root={root}
            depth={depth + 1}
            name={name}
            schema={each}
            isRequired={required.has(name)}
            value={members[name]}
            onChange={(changed) =>
              onChange(changeMember(schema, { root, depth }, members, { [name]: changed }))
            }
          />
        ))}
    </>
  );
}

/** An object within another one. One that is not required may be left out as a whole. */
function ObjectField(props: FieldProps): ReactElement {
  const { root, depth, schema, name, isRequired, value, onChange } = props;
  const isGiven = isObject(value) || (isRequired && !isNullable(schema));
  return (
    <fieldset>
      <legend>{name}</legend>
      <Description schema={schema} />
      {!(isRequired && !isNullable(schema)) && (
        <label className="check">
          <input
            type="checkbox"
            checked={isGiven}
            onChange={({ target }) =>
              onChange(target.checked ? objectValue(schema, { root, depth }) : undefined)
            }
          />{' '}
          Give it
        </label>
      )}
      {isGiven && <Members {...props} />}
    </fieldset>
  );
}

function ListField(props: FieldProps & { field: Extract<FieldKind, { kind: 'list' }> }): ReactElement {
  const { root, depth, schema, field, name, isRequired, value, onChange } = props;
  const add = useRef<HTMLButtonElement>(null);
  const given: unknown[] = Array.isArray(value) ? value : [];
  const least = leastItems(schema, field, { root, depth });
  const addOne = (): void => {
    const item = initialValue(field.items, { root, depth: depth + 1, isRequired: true });
    onChange(given.length < least.length ? least : [...given, item]);
  };
  const remove = (index: number): void => {
    const left = given.toSpliced(index, 1);
    // One with too few is none.
    onChange(left.length < Math.max(1, least.length) && !isRequired ? undefined : left);
    // What had the focus is gone.
    add.current?.focus();
  };
  return (
    <fieldset>
      <legend>{name}</legend>
      <Description schema={schema} />
      {given.map((each, index) => (
        <div key={index} className="item">
          <Field
            root={root}
            depth={depth + 1}
            name={String(index + 1)}
            schema={field.items}
            isRequired
            value={each}
            onChange={(changed) => onChange(given.with(index, changed))}
          />
          <Button
            kind="quiet"
            aria-label={`Remove ${index + 1}`}
            disabled={isRequired && given.length <= least.length}
            onClick={() => remove(index)}
          >
            Remove
          </Button>
        </div>
      ))}
      <Button ref={add} disabled={given.length >= field.most} onClick={addOne}>
        Add
      </Button>
    </fieldset>
  );
}

function ValueField(props: FieldProps & { field: FieldKind }): ReactElement {
  const id = useId();
  const [isShown, setShown] = useState(false);
  const { schema, name, isRequired, value, onChange, field } = props;
  const isGroup = field.kind === 'choices';
  const problem = problemOf(schema, value, isRequired);
  const own: ControlProps = {
    id,
    schema,
    isRequired,
    problem,
    isShown,
    describedBy: `${id}-note`,
    onInvalid: () => setShown(true),
    value,
    onChange,
  };
  return (
    <div className="field" {...(isGroup ? { role: 'group', 'aria-labelledby': `${id}-name` } : {})}>
      {isGroup ? <strong id={`${id}-name`}>{name}</strong> : <label htmlFor={id}>{name}</label>}
      <div id={`${id}-note`}>
        <Description schema={schema} />
        {isShown && problem !== null && <p className="wrong">{problem}</p>}
      </div>
      <Control {...own} field={field} />
    </div>
  );
}

function Control({ field, ...own }: ControlProps & { field: FieldKind }): ReactElement {
  if (field.kind === 'choice') return <ChoiceControl {...own} choices={field.choices} />;
  if (field.kind === 'choices') return <ChoicesControl {...own} choices={field.choices} />;
  if (field.kind === 'boolean') return <BooleanControl {...own} />;
  if (field.kind === 'number') return <NumberControl {...own} />;
  return field.kind === 'string' ? <TextControl {...own} /> : <JsonControl {...own} />;
}

function Description({ schema: { description } }: { schema: Schema }): ReactElement | null {
  if (typeof description !== 'string') return null;
  return <p className="muted">{visibleText(description.slice(0, MOST_DESCRIPTION))}</p>;
}
