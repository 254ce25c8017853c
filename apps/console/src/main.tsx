import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { takeKeyOfLink } from './session/key-of-link.ts';
import { applyTheme } from './shell/theme.ts';

applyTheme();
const key = takeKeyOfLink();
const root = document.querySelector('#root');
if (root !== null) createRoot(root).render(<App keyOfLink={key} />);
