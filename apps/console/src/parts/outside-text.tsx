import { useState, type ReactElement } from 'react';
import { Button } from './button.tsx';
import { bytes } from './figures.ts';
import { visibleText } from './visible-text.ts';

/** What is drawn at first, and at most: more makes a browser slow. In UTF-16 code units. */
const FIRST = 4_000;
const MOST = 200_000;
/** From here on it may not fit into its box. */
const LONG = 800;
const LONG_LINES = 20;

/** A text that somebody else wrote: shown as it is, never as markup or links, and bounded. */
export function OutsideText({ text, isCode = false }: { text: string; isCode?: boolean }): ReactElement {
  const [isWhole, setWhole] = useState(false);
  const limit = isWhole ? MOST : FIRST;
  const isCut = text.length > limit;
  // A box that scrolls can be scrolled by keys.
  const isLong = text.length > LONG || text.split('\n', LONG_LINES).length === LONG_LINES;
  return (
    <div className={isCode ? 'outside code' : 'outside'} {...(isLong ? { tabIndex: 0 } : {})}>
      <bdi>{visibleText(text.slice(0, limit))}</bdi>
      {isCut && (
        <p className="muted">
          {isWhole
            ? `The first ${bytes(MOST)} of ${bytes(text.length)}. The API has the rest.`
            : `The first ${bytes(FIRST)} of ${bytes(text.length)}.`}{' '}
          {!isWhole && (
            <Button kind="quiet" onClick={() => setWhole(true)}>
              Show more
            </Button>
          )}
        </p>
      )}
    </div>
  );
}

/** The beginning of such a text, on one line. */
export function OutsideLine({ text, most = 160 }: { text: string; most?: number }): ReactElement {
  const line = text.slice(0, most).replaceAll(/\s+/g, ' ');
  return <bdi className="line">{visibleText(line) + (text.length > most ? '…' : '')}</bdi>;
}
