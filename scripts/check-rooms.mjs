// Checks the rooms: imports go down only and in no circle, pure rooms stay pure, modules say what they do, files stay short.
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const REPOSITORY = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Which rooms a room may import, besides itself. */
const MAY_IMPORT = {
  'engine/wire': [],
  'engine/datapath': ['engine/wire'],
  'engine/client': ['engine/wire', 'engine/datapath'],
  'engine/server': ['engine/wire', 'engine/datapath'],
  'engine/relay': ['engine/wire', 'engine/datapath'],
  'engine/gate': ['engine/wire', 'engine/datapath'],
  'engine/sim': ['engine/wire', 'engine/datapath'],
  'engine/host': ['engine/wire', 'engine/datapath', 'engine/gate'],
  'engine/service': [
    'engine/wire',
    'engine/datapath',
    'engine/client',
    'engine/server',
    'engine/relay',
    'engine/gate',
    'engine/sim',
    'engine/host',
  ],
  cli: ['engine/service', 'engine/wire'],
  electron: ['engine/service'],
  // A window bundles what it imports: of the engine only what is made for that, and types.
  renderer: [
    'engine/service/slices.ts',
    'engine/service/doctor/sayings.ts',
    'engine/wire/ip.ts',
    'engine/wire/teredo.ts',
  ],
};
const PURE = [
  'engine/wire',
  'engine/datapath',
  'engine/client',
  'engine/server',
  'engine/relay',
  'engine/gate',
  'engine/sim',
];
/** Packages a pure room may use: they are pure themselves. */
const PURE_PACKAGES = /^(ipaddr\.js|@noble\/hashes\/.*)$/;
const IMPURE =
  /\b(Date|performance|setTimeout|setInterval|setImmediate|queueMicrotask|fetch|process|crypto|WebSocket)\b\s*[.(]|\bMath\.random\b|\bnew Date\b|\bglobalThis\b/;
/** An import that is gone when the module runs. */
const TYPE_IMPORT = /\bimport type\b[^;]*;/g;
const MAX_LINES = 420;

/** Every source file below `dir`, relative to `root`. */
function* sources(root, dir = root) {
  for (const entry of readdirSync(dir)) {
    const path = join(dir, entry);
    if (statSync(path).isDirectory()) {
      if (!['node_modules', 'build', 'out', '.git'].includes(entry)) yield* sources(root, path);
    } else if (/\.(ts|tsx|mjs|cc|h)$/.test(entry)) yield relative(root, path);
  }
}

const roomOf = (file) => Object.keys(MAY_IMPORT).find((room) => file.startsWith(room + '/'));
const stripComments = (text) =>
  text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '');

/** All faults of the tree at `root`, one sentence each. */
export function checkRooms(root = REPOSITORY) {
  const faults = [];
  const graph = new Map();
  for (const file of sources(root)) {
    const text = readFileSync(join(root, file), 'utf8');
    const lines = text.split('\n').length;
    if (lines > MAX_LINES) faults.push(`${file}: ${lines} lines; split it (limit ${MAX_LINES})`);
    const first = text.replace(/^#!.*\n/, '').split('\n', 1)[0];
    if (!/^(\/\/|\/\*\*?) \S.*\S/.test(first))
      faults.push(`${file}: its first line must be a comment that says what it does`);
    const room = roomOf(file);
    if (!room) continue;
    const code = stripComments(text);
    const values = room === 'renderer' ? code.replace(TYPE_IMPORT, '') : code;
    const imports = [...values.matchAll(/\b(?:from|import)\s*\(?\s*'([^']+)'/g)].map((m) => m[1]);
    graph.set(file, []);
    for (const specifier of imports) {
      if (specifier.startsWith('.')) {
        const target = relative(root, resolve(root, dirname(file), specifier));
        // The version is nobody's room, nor are files taken in as text.
        if (target === 'package.json' || target.endsWith('?raw')) continue;
        graph.get(file).push(target);
        const targetRoom = roomOf(target);
        const may = MAY_IMPORT[room];
        if (targetRoom !== room && !may.includes(targetRoom) && !may.includes(target))
          faults.push(`${file}: ${room} may not import ${target}`);
      } else if (PURE.includes(room) && !PURE_PACKAGES.test(specifier)) {
        faults.push(`${file}: a pure room may not import ${specifier}`);
      }
    }
    const bare = code.replace(/'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g, "''");
    const impure = PURE.includes(room) && IMPURE.exec(bare);
    if (impure) faults.push(`${file}: a pure room may not touch ${impure[0].trim()}`);
  }
  const state = new Map();
  const visit = (file, path) => {
    if (state.get(file) === 'done' || !graph.has(file)) return;
    if (state.get(file) === 'open') {
      faults.push(`circle of imports: ${[...path.slice(path.indexOf(file)), file].join(' -> ')}`);
      return;
    }
    state.set(file, 'open');
    for (const next of graph.get(file)) visit(next, [...path, file]);
    state.set(file, 'done');
  };
  for (const file of graph.keys()) visit(file, []);
  return faults;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const faults = checkRooms();
  for (const fault of faults) console.error(fault);
  process.exit(faults.length ? 1 : 0);
}
