import type { Budget, BudgetPeriod } from '@turnpike/client';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactElement } from 'react';
import { Button } from '../../parts/button.tsx';
import { ConfirmButton } from '../../parts/confirm-button.tsx';
import { dollars } from '../../parts/figures.ts';
import { Empty } from '../../parts/heading.tsx';
import { Listing } from '../../parts/listing.tsx';
import { useList } from '../../parts/more.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { useMay } from '../../session/session-context.ts';
import { turnpike } from '../../session/session.ts';

const EVERY_MS = 30_000;
const MICROS = 1_000_000;

/** What model calls of a day and of a month may cost, and how much of it is spent. */
export function Budgets(): ReactElement {
  const isAdmin = useMay('admin');
  const queries = useQueryClient();
  const list = useList(['budgets'], (signal) => turnpike.budgets.list({ limit: 100 }, { signal }), EVERY_MS);
  const refresh = (): void => void queries.invalidateQueries({ queryKey: ['budgets'] });
  return (
    <>
      <Listing list={list} empty={<Empty title="No budgets: nothing stops spending" />}>
        {list.items.map((budget) => (
          <BudgetCard
            key={budget.period + budget.set_by}
            budget={budget}
            mayChange={isAdmin}
            onChanged={refresh}
          />
        ))}
      </Listing>
      {isAdmin && <NewBudget onSet={refresh} />}
    </>
  );
}

function BudgetCard(props: { budget: Budget; mayChange: boolean; onChanged(): void }): ReactElement {
  const { period, set_by: setBy, limit_micros: limit, spent_micros: spent } = props.budget;
  return (
    <article className="card" aria-label={`Budget of a ${period}, set by the ${setBy}`}>
      <p>
        A {period}: <strong>{dollars(spent)}</strong> of {dollars(limit)}{' '}
        <span className="muted">set by the {setBy}</span>
      </p>
      <meter
        min={0}
        max={Math.max(1, limit)}
        high={limit * 0.9}
        value={Math.min(spent, limit)}
        aria-label="Spent"
      />
      {props.mayChange && setBy === 'tenant' && (
        <ConfirmButton
          label="Delete budget"
          title="Delete this budget?"
          act={() => turnpike.budgets.delete(period)}
          onDone={props.onChanged}
        >
          <p>Nothing but the operator’s budget stops spending then.</p>
        </ConfirmButton>
      )}
    </article>
  );
}

function NewBudget({ onSet }: { onSet(): void }): ReactElement {
  const [period, setPeriod] = useState<BudgetPeriod>('day');
  const [limit, setLimit] = useState('');
  const work = useMutation({
    mutationFn: () => turnpike.budgets.set(period, Math.round(Number(limit) * MICROS)),
    onSuccess: () => {
      setLimit('');
      onSet();
    },
  });
  return (
    <form
      className="actions"
      onSubmit={(event) => {
        event.preventDefault();
        work.mutate();
      }}
    >
      <select
        aria-label="Period of the budget"
        value={period}
        onChange={(event) => setPeriod(event.target.value === 'month' ? 'month' : 'day')}
      >
        <option value="day">A day</option>
        <option value="month">A month</option>
      </select>
      <input
        aria-label="Dollars"
        placeholder="Dollars"
        type="number"
        min="0"
        step="any"
        required
        value={limit}
        onChange={(event) => setLimit(event.target.value)}
      />
      <Button type="submit" isBusy={work.isPending}>
        Set budget
      </Button>
      <ProblemNote error={work.error} />
    </form>
  );
}
