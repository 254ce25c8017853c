export type Theme = 'system' | 'light' | 'dark';

const NAME = 'turnpike-theme';

/** The only thing that the console keeps in the browser, beside saved views. */
export function readTheme(): Theme {
  const kept = window.localStorage.getItem(NAME);
  return kept === 'light' || kept === 'dark' ? kept : 'system';
}

export function setTheme(theme: Theme): void {
  window.localStorage.setItem(NAME, theme);
  applyTheme();
}

export function applyTheme(): void {
  document.documentElement.dataset['theme'] = readTheme();
}
