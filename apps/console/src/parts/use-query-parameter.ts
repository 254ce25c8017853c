import { useSearchParams } from 'wouter';

/** A value that is kept in the URL, so that a link shows the same; empty where it is not there. */
export function useQueryParameter(name: string): [string, (value: string) => void] {
  const [search, setSearch] = useSearchParams();
  const set = (value: string): void =>
    setSearch(
      (before) => {
        const after = new URLSearchParams(before);
        if (value === '') after.delete(name);
        else after.set(name, value);
        return after;
      },
      { replace: true },
    );
  return [search.get(name) ?? '', set];
}
