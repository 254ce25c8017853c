import { useId, useState, type ReactElement } from 'react';
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
  isObject,
  kindOf,
  problemOf,
  requiredOf,
  resolveSchema,
  type Depth,
  type FieldKind,
  type Schema,
} from './form-schema.ts';

const MOST_DESCRIPTION = 500;
/** Of a list, in a form. */
const MOST_ITEMS = 100;

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
 * form from being submitted; the API decides whether the value is valid.
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
  const own: Given = { root, depth: 0, schema: resolveSchema(root, root), value, onChange };
  return kindOf(own.schema, own).kind === 'object' ? (
    <Members {...own} />
  ) : (
    <Field {...own} name={label} isRequired />
  );
}

export const formValue = (schema: Schema): unknown =>
  initialValue(schema, { root: schema, depth: 0, isRequired: true });

function Field(props: FieldProps): ReactElement {
  const schema = resolveSchema(props.schema, props.root);
  const { name, isRequired } = props;
  const { title } = schema;
  const field = kindOf(schema, props);
  const own = {
    ...props,
    schema,
    name: `${shownLabel(typeof title === 'string' ? title : name)}${isRequired ? '' : ' (optional)'}`,
  };
  if (field.kind === 'object') return <ObjectField {...own} />;
  if (field.kind === 'list') return <ListField {...own} items={field.items} />;
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
  const isGiven = isRequired || value !== undefined;
  return (
    <fieldset>
      <legend>{name}</legend>
      <Description schema={schema} />
      {!isRequired && (
        <label className="check">
          <input
            type="checkbox"
            checked={isGiven}
            onChange={({ target }) =>
              onChange(target.checked ? initialValue(schema, { root, depth, isRequired: true }) : undefined)
            }
          />{' '}
          Give it
        </label>
      )}
      {isGiven && <Members {...props} />}
    </fieldset>
  );
}

function ListField(props: FieldProps & { items: Schema }): ReactElement {
  const { root, depth, schema, items, name, isRequired, value, onChange } = props;
  const { minItems: least, maxItems: most } = schema;
  const given: unknown[] = Array.isArray(value) ? value : [];
  const change = (changed: unknown[]): void =>
    onChange(changed.length === 0 && !isRequired ? undefined : changed);
  const begin = (): unknown => initialValue(items, { root, depth: depth + 1, isRequired: true });
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
            schema={items}
            isRequired
            value={each}
            onChange={(changed) => change(given.with(index, changed))}
          />
          <Button
            kind="quiet"
            aria-label={`Remove ${index + 1}`}
            disabled={typeof least === 'number' && given.length <= least}
            onClick={() => change(given.toSpliced(index, 1))}
          >
            Remove
          </Button>
        </div>
      ))}
      <Button
        disabled={given.length >= Math.min(typeof most === 'number' ? most : MOST_ITEMS, MOST_ITEMS)}
        onClick={() => change([...given, begin()])}
      >
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
