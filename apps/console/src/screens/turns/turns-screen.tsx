import type { ReactElement } from 'react';
import { useSearchParams } from 'wouter';
import { Empty, Heading } from '../../parts/heading.tsx';
import { Listing } from '../../parts/listing.tsx';
import { SavedViews } from './saved-views.tsx';
import { TurnFilters } from './turn-filters.tsx';
import { TurnRows } from './turn-rows.tsx';
import { useLiveTurns } from './use-live-turns.ts';

export default function TurnsScreen(): ReactElement {
  const [search] = useSearchParams();
  const list = useLiveTurns(search);
  const empty =
    search.size > 0 ? (
      <Empty title="No turn matches">
        <p>Remove a filter to see more.</p>
      </Empty>
    ) : (
      <Empty title="No turns yet">
        <p>Submit one in the playground, or with POST /v1/turns.</p>
      </Empty>
    );
  return (
    <>
      <Heading title="Turns">
        <SavedViews />
      </Heading>
      <TurnFilters />
      <Listing list={list} empty={empty}>
        <TurnRows turns={list.items} />
      </Listing>
    </>
  );
}
