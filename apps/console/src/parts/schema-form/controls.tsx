import { useState, type ReactElement } from 'react';
import { visibleText } from '../visible-text.ts';
import { UnreadJson, type Choice, type Schema } from './form-schema.ts';

const MOST_LABEL = 200;
/** A text that may be longer is written on several lines. Characters. */
const ONE_LINE = 200;
const INPUT_TYPES = new Map([
  ['date', 'date'],
  ['email', 'email'],
  ['uri', 'url'],
]);

type Control = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

export interface ControlProps {
  id: string;
  schema: Schema;
  isRequired: boolean;
  /** What is wrong with the value. It keeps the form from being submitted. */
  problem: string | null;
  /** The problem is shown: not before somebody tried to submit, or came back to the field. */
  isShown: boolean;
  /** The element that describes it, with the problem. */
  describedBy: string;
  /** A submit found the problem. */
  onInvalid(): void;
  value: unknown;
  /** `undefined`: nothing is given. */
  onChange(value: unknown): void;
}

export const shownLabel = (text: string): string => visibleText(text.slice(0, MOST_LABEL));

export function TextControl(props: ControlProps): ReactElement {
  const { schema, value, onChange } = props;
  const { maxLength, format } = schema;
  const text = typeof value === 'string' ? value : '';
  const own = {
    ...controlProps(props),
    value: text,
    onChange: ({ target }: { target: Control }) => onChange(target.value === '' ? undefined : target.value),
  };
  const type = typeof format === 'string' ? INPUT_TYPES.get(format) : undefined;
  const isOneLine = type !== undefined || (typeof maxLength === 'number' && maxLength <= ONE_LINE);
  if (isOneLine && !text.includes('\n')) return <input {...own} type={type ?? 'text'} />;
  return <textarea {...own} className="grows" rows={1} />;
}

export function NumberControl(props: ControlProps): ReactElement {
  const { value, onChange } = props;
  return (
    <input
      {...controlProps(props)}
      type="number"
      step="any"
      value={typeof value === 'number' ? value : ''}
      onChange={({ target }) =>
        onChange(Number.isNaN(target.valueAsNumber) ? undefined : target.valueAsNumber)
      }
    />
  );
}

/** Two choices, since a box that is not ticked may also be one that nobody looked at. */
export function BooleanControl(props: ControlProps): ReactElement {
  const choices = [
    { value: true, label: 'Yes' },
    { value: false, label: 'No' },
  ];
  return <ChoiceControl {...props} choices={choices} />;
}

export function ChoiceControl(props: ControlProps & { choices: readonly Choice[] }): ReactElement {
  const { choices, value, onChange } = props;
  const text = JSON.stringify(value);
  const chosen = choices.findIndex((choice) => JSON.stringify(choice.value) === text);
  return (
    <select
      {...controlProps(props)}
      value={chosen < 0 ? '' : chosen}
      onChange={({ target }) =>
        onChange(target.value === '' ? undefined : choices[Number(target.value)]?.value)
      }
    >
      <option value="">–</option>
      {choices.map(({ label }, index) => (
        <option key={index} value={index}>
          {shownLabel(label)}
        </option>
      ))}
    </select>
  );
}

/** Any of several choices, in their own order. The first box stands for all where something is wrong. */
export function ChoicesControl(props: ControlProps & { choices: readonly Choice[] }): ReactElement {
  const { choices, value, onChange } = props;
  const first = controlProps(props);
  const chosen = new Set(Array.isArray(value) ? value.map((each) => JSON.stringify(each)) : []);
  const isChosen = (choice: Choice): boolean => chosen.has(JSON.stringify(choice.value));
  const toggle = (toggled: Choice): void => {
    const kept = choices.filter((choice) => (choice === toggled ? !isChosen(choice) : isChosen(choice)));
    onChange(kept.length === 0 && !props.isRequired ? undefined : kept.map((choice) => choice.value));
  };
  return (
    <>
      {choices.map((choice, index) => (
        <label key={index} className="check">
          <input
            {...(index === 0 ? first : {})}
            type="checkbox"
            checked={isChosen(choice)}
            onChange={() => toggle(choice)}
          />{' '}
          {shownLabel(choice.label)}
        </label>
      ))}
    </>
  );
}

export function JsonControl(props: ControlProps): ReactElement {
  const { schema, value, onChange } = props;
  const [typed, setTyped] = useState('');
  // As it was typed, while that is the value.
  const text = textOf(readJson(typed)) === textOf(value) ? typed : textOf(value);
  return (
    <textarea
      {...controlProps(props)}
      className="code"
      rows={3}
      spellCheck={false}
      placeholder={schema['type'] === 'object' ? '{ … }' : 'JSON'}
      value={text}
      onChange={({ target }) => {
        setTyped(target.value);
        onChange(readJson(target.value));
      }}
    />
  );
}

function textOf(value: unknown): string {
  if (value === undefined) return '';
  return value instanceof UnreadJson ? value.text : JSON.stringify(value, null, 2);
}

function readJson(text: string): unknown {
  if (text.trim() === '') return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return hasInexactNumber(text) ? new UnreadJson(text, 'A number of it cannot be sent exactly.') : value;
  } catch {
    return new UnreadJson(text, 'This is not JSON.');
  }
}

/** Strings, or a number, in a JSON text. */
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;

function hasInexactNumber(text: string): boolean {
  return [...text.matchAll(TOKENS)].some(([token]) => {
    if (token.startsWith('"')) return false;
    const number = Number(token);
    return !Number.isFinite(number) || (/^-?\d+$/.test(token) && !Number.isSafeInteger(number));
  });
}

/** What all controls have: the browser takes them for invalid while something is wrong. */
function controlProps({ id, problem, isShown, isRequired, describedBy, onInvalid }: ControlProps): {
  id: string;
  ref(element: Control | null): void;
  'aria-required': boolean;
  onInvalid(): void;
  'aria-describedby': string;
  'aria-invalid': boolean;
} {
  return {
    id,
    ref: (element) => element?.setCustomValidity(problem ?? ''),
    // The problem says what is missing, also to the browser.
    'aria-required': isRequired,
    onInvalid,
    'aria-describedby': describedBy,
    'aria-invalid': isShown && problem !== null,
  };
}
