// Module renderer/main starts the window's page: words, the stream of updates, and the first screen.
import { createRoot } from 'react-dom/client';
import { App } from './app/app.tsx';
import { useStore } from './app/store.ts';
import { chooseLanguage, startWords } from './words/index.ts';
import './styles/tokens.css';
import './styles/base.css';
import './styles/parts.css';
import './styles/screens.css';

await startWords();
await chooseLanguage('system');
window.shipworm.watch((update) => useStore.getState().take(update));
createRoot(document.getElementById('root')!).render(<App />);
